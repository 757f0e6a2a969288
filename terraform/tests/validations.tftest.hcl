# Each validation, failing as it should: the first of every variable, then the
# second, and so on. Messages name the remedy.

mock_provider "confluent" {}
mock_provider "google" {}

variables {
  project             = "my-stations-4711"
  region              = "europe-west1"
  bridge_image        = "europe-west1-docker.pkg.dev/p/r/bridge@sha256:0000000000000000000000000000000000000000000000000000000000000000"
  propagation_seconds = 0
}

run "first_validation_of_each_variable" {
  command = plan

  variables {
    alert_emails               = ["ops"]
    bridge                     = { min_instances = 0 }
    bridge_image               = "europe-west1-docker.pkg.dev/p/r/bridge:latest"
    bucket                     = "gs://lake"
    confluent_cloud_api_secret = "secret"
    confluent_cluster          = { type = "dedicated" }
    dashboard_viewers          = ["allUsers"]
    ingest                     = { max_instances = 0 }
    kafka                      = { bootstrap_servers = "SASL_SSL://a:9092", sasl_username = "u", sasl_password_secret = "s" }
    kafka_key_generation       = 0
    kms_key                    = "k"
    labels                     = { Team = "x" }
    lake_cold_after_days       = 7
    lake_retention_days        = 0
    network                    = { subnetwork = "default" }
    page                       = { viewers = ["allUsers"] }
    prod_bq_dataset            = "project:prod"
    project                    = "My Stations"
    propagation_seconds        = 601
    replay                     = { callers = ["allUsers"] }
    runbooks_url               = "docs/runbooks.md"
    station_timezone           = "CET"
    stg_retention_days         = 1
    traces                     = { endpoint = "collector:4318" }
    transform                  = { settings = { STATION_TIMEZONE = "UTC" } }
    transport                  = "eventarc"
  }

  expect_failures = [
    var.alert_emails,
    var.bridge,
    var.bridge_image,
    var.bucket,
    var.confluent_cloud_api_secret,
    var.confluent_cluster,
    var.dashboard_viewers,
    var.ingest,
    var.kafka,
    var.kafka_key_generation,
    var.kms_key,
    var.labels,
    var.lake_cold_after_days,
    var.lake_retention_days,
    var.network,
    var.page,
    var.prod_bq_dataset,
    var.project,
    var.propagation_seconds,
    var.replay,
    var.runbooks_url,
    var.station_timezone,
    var.stg_retention_days,
    var.traces,
    var.transform,
    var.transport,
  ]
}

run "second_validation_of_each_variable" {
  command = plan

  variables {
    bridge            = { min_instances = 3, max_instances = 2 }
    confluent_cluster = { availability = "MULTI_ZONE" }
    dashboard_viewers = ["domain:example.com"]
    ingest            = { settings = { BRIDGE_BATCH_AGE = "1s" } }
    kafka             = { bootstrap_servers = "a:9092", security_protocol = "TLS" }
    kms_key           = "projects/p/locations/global/keyRings/r/cryptoKeys/k"
    network           = { subnetwork = "projects/p/regions/us-east1/subnetworks/s" }
    page              = { viewers = ["domain:example.com"], settings = { PAGE_MAX_BYTES = "1" } }
    prod_bq_dataset   = "staging_data"
    replay            = { settings = { KAFKA_START = "latest" } }
    traces            = { share = 1.5 }
    transform         = { query_limit_tib = 0 }

    stg_retention_days = 401
  }

  expect_failures = [
    var.bridge,
    var.confluent_cluster,
    var.dashboard_viewers,
    var.ingest,
    var.kafka,
    var.kms_key,
    var.network,
    var.page,
    var.prod_bq_dataset,
    var.replay,
    var.stg_retention_days,
    var.traces,
    var.transform,
  ]
}

run "third_validation_of_each_variable" {
  command = plan

  variables {
    bridge  = { max_instances = 1000 } # more than any topics have partitions
    ingest  = { cpu = "0.5" }
    kafka   = { bootstrap_servers = "a:9092" }
    network = { subnetwork = "projects/p/regions/europe-west1/subnetworks/s", egress = "SOME" }

    transform = { cpu = "4", memory = "1Gi" }
  }

  expect_failures = [
    var.bridge,
    var.ingest,
    var.kafka,
    var.network,
    var.transform,
  ]
}

run "fourth_validation_of_each_variable" {
  command = plan

  variables {
    bridge = { settings = { LAKE_BUCKET = "x" } }
    ingest = { concurrency = 40 }
    kafka  = { bootstrap_servers = "a:9092", security_protocol = "SSL", sasl_username = "u", sasl_password_secret = "s" }
  }

  expect_failures = [
    var.bridge,
    var.ingest,
    var.kafka,
  ]
}

run "fifth_validation_of_each_variable" {
  command = plan

  variables {
    bridge = { settings = { KAFKA_SASL_PASSWORD = "x" } }
    ingest = { settings = { INGEST_CONCURRENCY = "9" } }
    kafka  = { bootstrap_servers = "a:9092", sasl_username = "u", sasl_password_secret = "pass word!" }
  }

  expect_failures = [
    var.bridge,
    var.ingest,
    var.kafka,
  ]
}

run "sixth_validation_of_each_variable" {
  command = plan

  variables {
    bridge = { cpu = "0.5" }
    kafka  = { bootstrap_servers = "a:9092", security_protocol = "SSL", files = { CA = "ca" } }
  }

  expect_failures = [
    var.bridge,
    var.kafka,
  ]
}

run "seventh_validation_of_each_variable" {
  command = plan

  variables {
    bridge = { settings = { BRIDGE_MEMORY_BYTES = "268435456" } }
    kafka  = { bootstrap_servers = "a:9092", security_protocol = "SSL", settings = { KAFKA_SASL_PASSWORD = "x" } }
  }

  expect_failures = [
    var.bridge,
    var.kafka,
  ]
}

run "eighth_validation_of_each_variable" {
  command = plan

  variables {
    bridge = { memory = "512" }
  }

  expect_failures = [
    var.bridge,
  ]
}

run "ninth_validation_of_each_variable" {
  command = plan

  variables {
    bridge = { idle = "sleep" }
  }

  expect_failures = [
    var.bridge,
  ]
}

run "tenth_validation_of_each_variable" {
  command = plan

  variables {
    bridge = { settings = { BRIDGE_LAKE_AGE = "1m60s" } }
  }

  expect_failures = [
    var.bridge,
  ]
}

run "lag_shorter_than_the_age_of_the_lake" {
  command = plan

  variables {
    bridge = { settings = { SCALE_LAG = "59500ms" } }
  }

  expect_failures = [
    var.bridge,
  ]
}

run "lag_longer_than_the_age_of_the_lake" {
  command = plan

  variables {
    bridge = { settings = { SCALE_LAG = "1m", BRIDGE_LAKE_AGE = "59.5s" } }
  }
}

# This one looks at kafka: it is judged where that is right.
run "schema_registry_address" {
  command = plan

  variables {
    schema_registry = { url = "registry:8081" }
  }

  expect_failures = [var.schema_registry]
}

run "schema_registry_none_with_a_cluster_of_ones_own" {
  command = plan

  variables {
    kafka           = { bootstrap_servers = "a:9092", security_protocol = "PLAINTEXT" }
    schema_registry = {}
  }

  expect_failures = [var.schema_registry]
}

run "schema_registry_user_without_a_password" {
  command = plan

  variables {
    schema_registry = { url = "https://registry", username = "u" }
  }

  expect_failures = [var.schema_registry]
}

run "schema_registry_user_of_confluents" {
  command = plan

  variables {
    schema_registry = { username = "u", password_secret = "s" }
  }

  expect_failures = [var.schema_registry]
}

run "schema_registry_format" {
  command = plan

  variables {
    schema_registry = { format = "XML" }
  }

  expect_failures = [var.schema_registry]
}

run "schema_registry_compatibility" {
  command = plan

  variables {
    schema_registry = { compatibility = "SOME" }
  }

  expect_failures = [var.schema_registry]
}

# Others look at these two: they are not judged while these are wrong.
run "multi_region" {
  command = plan

  variables {
    region         = "EU"
    stg_bq_dataset = "staging-data"
  }

  expect_failures = [var.region, var.stg_bq_dataset]
}

run "zone_for_region" {
  command = plan

  variables {
    region = "europe-west1-b"
  }

  expect_failures = [var.region]
}
