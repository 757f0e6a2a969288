"""Has dbt-core leave out what takes most of its time with small projects, and
changes nothing of what it makes of them."""
from dbt_common.behavior_flags import BehaviorFlagRendered
from dbt_common.tests import enable_test_caching

enable_test_caching()  # a switch of its own tests: a macro that was parsed before is not parsed again

# For the event that a behavior is switched off, each of the adapter's flags
# looks through the stack for the module that made it.
BehaviorFlagRendered._default_source = staticmethod(lambda: "dbt.adapters.bigquery.impl")
