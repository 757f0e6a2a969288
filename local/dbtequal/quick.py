"""Has dbt-core leave out what takes most of its time with small projects, and
changes nothing of what it makes of them."""
from dbt_common.behavior_flags import BehaviorFlagRendered
from dbt_common.tests import enable_test_caching

enable_test_caching()  # a switch of its own tests: a macro that was parsed before is not parsed again

# Each invocation adds the adapter's flags to a list that is never emptied, and
# looks for each of the list through the stack for the module that made it, for
# the text of an event: findings/dbt-runner-slows-down.sh.
BehaviorFlagRendered._default_source = staticmethod(lambda: "dbt.adapters.bigquery.impl")
