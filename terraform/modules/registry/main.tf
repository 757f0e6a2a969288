# Confluent Cloud's schema registry of the environment that the cluster is in:
# a subject for each topic, and for ingest and simulator each an identity with
# the rights it needs and a key. Nothing of this exists when the user has a
# registry, or wants none.

locals {
  clients = merge(
    { ingest = { role = "DeveloperRead" } },
    var.simulate ? { simulator = { role = "DeveloperWrite" } } : {},
  )
  suffix = { AVRO = "avsc", PROTOBUF = "proto", JSON = "schema.json" }
}

# The environment has one as soon as it has a cluster.
data "confluent_schema_registry_cluster" "this" {
  environment {
    id = var.environment
  }
}

resource "confluent_service_account" "client" {
  for_each = merge(local.clients, { terraform = { role = "ResourceOwner" } })

  display_name = "stationflow-registry-${each.key}"
  description  = "The ${each.key} asks the schema registry as this."
}

resource "confluent_role_binding" "client" {
  for_each = merge(local.clients, { terraform = { role = "ResourceOwner" } })

  principal   = "User:${confluent_service_account.client[each.key].id}"
  role_name   = each.value.role
  crn_pattern = "${data.confluent_schema_registry_cluster.this.resource_name}/subject=*"
}

resource "terraform_data" "generation" {
  input = var.key_generation
}

resource "confluent_api_key" "client" {
  for_each = confluent_role_binding.client

  display_name = "stationflow-registry-${each.key}-${var.key_generation}"
  description  = "The ${each.key} asks the schema registry with this."

  owner {
    id          = confluent_service_account.client[each.key].id
    api_version = confluent_service_account.client[each.key].api_version
    kind        = confluent_service_account.client[each.key].kind
  }
  managed_resource {
    id          = data.confluent_schema_registry_cluster.this.id
    api_version = data.confluent_schema_registry_cluster.this.api_version
    kind        = data.confluent_schema_registry_cluster.this.kind

    environment {
      id = var.environment
    }
  }

  lifecycle {
    create_before_destroy = true
    replace_triggered_by  = [terraform_data.generation]
  }
}

# What may follow on a version is said before there is one.
resource "confluent_subject_config" "topic" {
  for_each = toset(var.topics)

  subject_name        = "${each.key}-value"
  compatibility_level = var.compatibility
  rest_endpoint       = data.confluent_schema_registry_cluster.this.rest_endpoint

  schema_registry_cluster {
    id = data.confluent_schema_registry_cluster.this.id
  }
  credentials {
    key    = confluent_api_key.client["terraform"].id
    secret = confluent_api_key.client["terraform"].secret
  }
}

# A changed schema is a further version; earlier ones stay for the records that
# name them.
resource "confluent_schema" "topic" {
  for_each = toset(var.topics)

  subject_name  = confluent_subject_config.topic[each.key].subject_name
  format        = var.format
  schema        = file("${var.schemas}/${each.key}.${local.suffix[var.format]}")
  rest_endpoint = data.confluent_schema_registry_cluster.this.rest_endpoint

  schema_registry_cluster {
    id = data.confluent_schema_registry_cluster.this.id
  }
  credentials {
    key    = confluent_api_key.client["terraform"].id
    secret = confluent_api_key.client["terraform"].secret
  }
}
