# Plans of the whole configuration: the defaults, and each large choice.
# Nothing here needs an account. What resources must look like in each of
# these plans is held by local/deploytest.

mock_provider "confluent" {}

mock_provider "google" {
  override_data {
    target = module.foundation.data.google_project.this
    values = { number = "123456789012" }
  }
}

variables {
  project             = "my-stations-4711"
  region              = "europe-west1"
  bridge_image        = "europe-west1-docker.pkg.dev/p/r/bridge@sha256:0000000000000000000000000000000000000000000000000000000000000000"
  propagation_seconds = 0
}

run "defaults" {
  command = plan

  assert {
    condition     = output.bucket == "gs://my-stations-4711-stationflow-lake"
    error_message = "The bucket is not named after the project: ${output.bucket}"
  }
  assert {
    condition     = output.stg_bq_dataset == "staging_data" && output.prod_bq_dataset == "prod_data"
    error_message = "The datasets have other names than the contract's."
  }
  assert {
    condition     = length(module.kafka) == 1 && output.simulator_job == null
    error_message = "By default a cluster is made, and nothing is simulated."
  }
  assert {
    condition = alltrue([for t in ["passenger_flow", "ticket", "train", "incident", "equipment_failure"] :
      strcontains(output.looker_studio_url, "ds.${t}_dashboard.tableId=${t}_dashboard&")
    ])
    error_message = "A dashboard table is no data source of the Looker Studio link."
  }
  assert {
    condition     = length(output.alerts) == 11
    error_message = "There are ${length(output.alerts)} alerts."
  }
  assert {
    condition     = join(" ", keys(output.logs)) == "audit bridge compact ingest scale transform"
    error_message = "The logs are those of ${join(" ", keys(output.logs))}."
  }
  assert {
    condition     = join(" ", keys(output.functions)) == "audit compact ingest scale transform"
    error_message = "The functions are ${join(" ", keys(output.functions))}."
  }
}

run "optional_functions" {
  command = plan

  variables {
    alert   = { topic = "pager" }
    compact = null
    replay  = { callers = ["user:ana@example.com"] }
  }

  assert {
    condition     = join(" ", keys(output.functions)) == "alert audit ingest replay scale transform"
    error_message = "The functions are ${join(" ", keys(output.functions))}."
  }
}

run "image_is_built" {
  command = plan

  variables {
    bridge_image = null
  }
}

run "existing_kafka" {
  command = plan

  variables {
    kafka = {
      bootstrap_servers    = "a.example.com:9092, b.example.com:9092"
      sasl_mechanism       = "SCRAM-SHA-512"
      sasl_username        = "stationflow"
      sasl_password_secret = "kafka-password" # checkov:skip=CKV_SECRET_6:the name of a secret
      files                = { KAFKA_CA_FILE = "kafka-ca" }
    }
    simulate = true
  }

  assert {
    condition     = length(module.kafka) == 0 && output.kafka_cluster == null
    error_message = "A cluster is made although one exists."
  }
  assert {
    condition     = output.simulator_job == "stationflow-simulator"
    error_message = "Simulated stations do not run."
  }
}

run "existing_kafka_without_security" {
  command = plan

  variables {
    kafka = {
      bootstrap_servers = "10.0.0.5:9092"
      security_protocol = "PLAINTEXT"
    }
    network = { subnetwork = "projects/my-stations-4711/regions/europe-west1/subnetworks/stations" }
  }
}

run "demo" {
  command = plan

  variables {
    demo     = true
    simulate = true
  }
}

run "customer_managed_keys" {
  command = plan

  variables {
    kms_key = "projects/my-stations-4711/locations/europe-west1/keyRings/r/cryptoKeys/k"
  }
}

run "straight_to_the_function" {
  command = plan

  variables {
    transport = "http"
  }
}

run "lake_is_the_only_sink" {
  command = plan
  variables { ingest = { settings = { INGEST_SINKS = "lake" } } }

  assert {
    condition     = join(",", local.lanes) == "lake"
    error_message = "Nothing takes rows, and the bridge sends ${join(",", local.lanes)}."
  }
}

run "warehouse_is_the_only_sink" {
  command = plan
  variables { ingest = { settings = { INGEST_SINKS = "warehouse" } } }

  assert {
    condition     = join(",", local.lanes) == "rows"
    error_message = "Nothing takes files, and the bridge sends ${join(",", local.lanes)}."
  }
}

run "a_bridge_that_stays" {
  command = plan

  variables {
    bridge = { idle = "stay", min_instances = 2, max_instances = 4 }
  }
}

run "standard_cluster" {
  command = plan

  variables {
    confluent_cluster = { type = "standard", availability = "MULTI_ZONE" }
  }
}

run "confluents_registry" {
  command = plan

  variables {
    schema_registry = { compatibility = "FULL", format = "PROTOBUF" }
    simulate        = true
  }

  assert {
    condition     = length(module.registry) == 1
    error_message = "No registry is set up."
  }
}

run "existing_registry" {
  command = plan

  variables {
    kafka           = { bootstrap_servers = "10.0.0.5:9092", security_protocol = "PLAINTEXT" }
    schema_registry = { url = "https://registry.example.com/apis/ccompat/v7", username = "u", password_secret = "registry-password" } # checkov:skip=CKV_SECRET_6:the name of a secret
    simulate        = true
  }

  assert {
    condition     = length(module.registry) == 0
    error_message = "A registry is set up although one exists."
  }
}
