# A cluster in Confluent Cloud, its topics, and for bridge and simulator each
# an identity with the rights it needs and a key. Nothing of this exists when
# the user has a cluster.

locals {
  # Who reads and who writes. A basic cluster knows no roles on topics, so
  # rights are access control lists on either kind.
  clients = merge(
    { bridge = { operations = ["READ"], group = var.group_id } },
    var.simulate ? { simulator = { operations = ["WRITE"], group = null } } : {},
  )
  topic_rules = merge([for client, c in local.clients : {
    for pair in setproduct(concat(c.operations, ["DESCRIBE"]), var.topics) :
    "${client}-${lower(pair[0])}-${pair[1]}" => { client = client, operation = pair[0], type = "TOPIC", name = pair[1] }
  }]...)
  # The bridge alone writes canaries, and reads them.
  canary_rules = { for operation in ["READ", "DESCRIBE", "WRITE"] :
    "bridge-${lower(operation)}-canary" => { client = "bridge", operation = operation, type = "TOPIC", name = var.canary } if var.canary != null
  }
  partitions = merge({ for topic in var.topics : topic => var.partitions }, var.canary == null ? {} : { (var.canary) = 1 })

  group_rules = { for client, c in local.clients :
    "${client}-group" => { client = client, operation = "READ", type = "GROUP", name = c.group } if c.group != null
  }
}

resource "confluent_environment" "this" {
  display_name = "stationflow"

  dynamic "stream_governance" {
    for_each = var.registry ? [1] : []
    content {
      package = "ESSENTIALS"
    }
  }
}

resource "confluent_kafka_cluster" "this" {
  display_name = "stationflow"
  cloud        = "GCP"
  region       = var.region
  availability = var.cluster.availability

  dynamic "basic" {
    for_each = var.cluster.type == "basic" ? [1] : []
    content {}
  }
  dynamic "standard" {
    for_each = var.cluster.type == "standard" ? [1] : []
    content {}
  }

  environment {
    id = confluent_environment.this.id
  }
}

# Terraform's own identity in the cluster: makes topics and rules.
resource "confluent_service_account" "admin" {
  display_name = "stationflow-terraform"
  description  = "Makes topics and access rules of the cluster."
}

resource "confluent_role_binding" "admin" {
  principal   = "User:${confluent_service_account.admin.id}"
  role_name   = "CloudClusterAdmin"
  crn_pattern = confluent_kafka_cluster.this.rbac_crn
}

# A key is replaced by raising its generation: the new one exists, and is in
# use, before the old one goes.
resource "terraform_data" "generation" {
  input = var.key_generation
}

resource "confluent_api_key" "admin" {
  display_name = "stationflow-terraform-${var.key_generation}"
  description  = "Makes topics and access rules of the cluster."

  owner {
    id          = confluent_service_account.admin.id
    api_version = confluent_service_account.admin.api_version
    kind        = confluent_service_account.admin.kind
  }
  managed_resource {
    id          = confluent_kafka_cluster.this.id
    api_version = confluent_kafka_cluster.this.api_version
    kind        = confluent_kafka_cluster.this.kind

    environment {
      id = confluent_environment.this.id
    }
  }

  lifecycle {
    create_before_destroy = true
    replace_triggered_by  = [terraform_data.generation]
  }
  depends_on = [confluent_role_binding.admin]
}

resource "confluent_kafka_topic" "topic" {
  for_each = local.partitions

  topic_name       = each.key
  partitions_count = each.value
  rest_endpoint    = confluent_kafka_cluster.this.rest_endpoint
  config           = { "retention.ms" = tostring(7 * 24 * 60 * 60 * 1000) } # what an outage of the bridge may last

  kafka_cluster {
    id = confluent_kafka_cluster.this.id
  }
  credentials {
    key    = confluent_api_key.admin.id
    secret = confluent_api_key.admin.secret
  }
}

resource "confluent_service_account" "client" {
  for_each = local.clients

  display_name = "stationflow-${each.key}"
  description  = "The ${each.key} connects as this."
}

resource "confluent_kafka_acl" "rule" {
  for_each = merge(local.topic_rules, local.group_rules, local.canary_rules)

  resource_type = each.value.type
  resource_name = each.value.name
  pattern_type  = "LITERAL"
  principal     = "User:${confluent_service_account.client[each.value.client].id}"
  host          = "*"
  operation     = each.value.operation
  permission    = "ALLOW"
  rest_endpoint = confluent_kafka_cluster.this.rest_endpoint

  kafka_cluster {
    id = confluent_kafka_cluster.this.id
  }
  credentials {
    key    = confluent_api_key.admin.id
    secret = confluent_api_key.admin.secret
  }
}

resource "confluent_api_key" "client" {
  for_each = local.clients

  display_name = "stationflow-${each.key}-${var.key_generation}"
  description  = "The ${each.key} connects with this."

  owner {
    id          = confluent_service_account.client[each.key].id
    api_version = confluent_service_account.client[each.key].api_version
    kind        = confluent_service_account.client[each.key].kind
  }
  managed_resource {
    id          = confluent_kafka_cluster.this.id
    api_version = confluent_kafka_cluster.this.api_version
    kind        = confluent_kafka_cluster.this.kind

    environment {
      id = confluent_environment.this.id
    }
  }

  lifecycle {
    create_before_destroy = true
    replace_triggered_by  = [terraform_data.generation]
  }
}
