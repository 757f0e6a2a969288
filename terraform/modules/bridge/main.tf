# The worker pool that reads Kafka and hands batches on. How many instances it
# has is set by the function scale, none while nothing comes. And, if asked for,
# simulated stations, from the same image.

locals {
  image = var.image == null ? data.google_artifact_registry_docker_image.built[0].self_link : var.image
  tag   = substr(var.sources_hash, 0, 16)

  http   = var.transport == "http"
  copies = local.http && var.alert_copies_topic != null
  port   = 8080 # of the probes: a pool serves nothing else
  own = {
    bridge = merge(
      {
        BRIDGE_ADDR          = ":${local.port}"
        BRIDGE_CANARY        = var.canary ? "on" : "off"
        BRIDGE_LANES         = join(",", var.lanes)
        BRIDGE_LOG           = "cloud"
        BRIDGE_PUBSUB_TOPIC  = var.records_topic
        BRIDGE_TRANSPORT     = var.transport
        GOOGLE_CLOUD_PROJECT = var.project
        KAFKA_GROUP_ID       = var.group_id
        KAFKA_TOPICS         = join(",", var.topics)
        LAKE_BUCKET          = var.bucket
      },
      local.http ? {
        BRIDGE_DEAD_LETTER_TOPIC = var.dead_letter_topic
        BRIDGE_HTTP_AUDIENCE     = var.ingest.uri
        BRIDGE_HTTP_URL          = "${var.ingest.uri}/ingest"
      } : {},
      local.copies ? { BRIDGE_ALERT_COPIES_TOPIC = var.alert_copies_topic } : {},
      var.traces.environment,
    )
    simulator = merge(var.registry.environment, { STATION_TIMEZONE = var.station_timezone })
  }

  # Where each variable of bridge and simulator comes from: a value, the path of
  # a file that is mounted, or a secret.
  variables = { for client, kafka in var.kafka : client => merge(
    { for name, value in merge(client == "bridge" ? var.settings : {}, kafka.environment, local.own[client]) :
      name => { value = value, secret = null }
    },
    { for name in keys(var.files) : name => { value = "/secrets/${lower(name)}/content", secret = null } },
    kafka.password == null ? {} : { KAFKA_SASL_PASSWORD = { value = null, secret = kafka.password } },
    client != "simulator" || var.registry.password == null ? {} : { SCHEMA_REGISTRY_PASSWORD = { value = null, secret = var.registry.password } },
  ) }
}

resource "terraform_data" "image" {
  count            = var.image == null ? 1 : 0
  triggers_replace = [var.sources_hash, var.repository.address]

  provisioner "local-exec" {
    working_dir = var.repository_root
    command     = <<-EOT
      if ! command -v gcloud >/dev/null; then
        echo "gcloud builds the bridge's image and is not installed: install it (https://cloud.google.com/sdk), or set bridge_image" >&2
        exit 1
      fi
      gcloud builds submit . --config=cloudbuild.yaml --project="$PROJECT" --region="$REGION" \
        --service-account="$BUILDER" --gcs-source-staging-dir="gs://$BUCKET/source" --gcs-log-dir="gs://$BUCKET/logs" \
        --substitutions="_IMAGE=$IMAGE,_TAG=$TAG,_DEPLOY=false"
    EOT
    environment = {
      BUCKET  = var.build_bucket
      BUILDER = "projects/${var.project}/serviceAccounts/${basename(var.builder)}"
      IMAGE   = "${var.repository.address}/bridge"
      PROJECT = var.project
      REGION  = var.region
      TAG     = local.tag
    }
  }
}

# Tells the digest: what runs is what was built, whatever becomes of the tag.
data "google_artifact_registry_docker_image" "built" {
  count = var.image == null ? 1 : 0

  project       = var.project
  location      = var.region
  repository_id = var.repository.id
  image_name    = "bridge:${local.tag}"

  depends_on = [terraform_data.image]
}

resource "google_cloud_run_v2_worker_pool" "bridge" {
  project             = var.project
  location            = var.region
  name                = var.pool
  description         = "Reads Kafka, hands batches of records on."
  deletion_protection = false # holds nothing; offsets are in Kafka

  # It begins awake, and commits where every partition begins. From then on the
  # number is the check's.
  scaling {
    manual_instance_count = var.size.min_instances
  }

  template {
    service_account = google_service_account.bridge.email
    encryption_key  = var.kms_key

    dynamic "vpc_access" {
      for_each = var.network == null ? [] : [var.network]
      content {
        egress = vpc_access.value.egress
        network_interfaces {
          subnetwork = vpc_access.value.subnetwork
        }
      }
    }

    containers {
      image = local.image

      resources {
        limits = { cpu = var.size.cpu, memory = var.size.memory }
      }

      dynamic "env" {
        for_each = local.variables["bridge"]
        content {
          name  = env.key
          value = env.value.value
          dynamic "value_source" {
            for_each = env.value.secret == null ? [] : [env.value.secret]
            content {
              secret_key_ref {
                secret  = value_source.value.secret
                version = value_source.value.version
              }
            }
          }
        }
      }
      dynamic "volume_mounts" {
        for_each = var.files
        content {
          name       = replace(lower(volume_mounts.key), "_", "-")
          mount_path = "/secrets/${lower(volume_mounts.key)}"
        }
      }

      # Not alive is what a restart may heal; /healthz also fails for what
      # only a person can.
      startup_probe {
        period_seconds    = 5
        timeout_seconds   = 3
        failure_threshold = 24
        http_get {
          path = "/livez"
          port = local.port
        }
      }
      liveness_probe {
        period_seconds    = 30
        timeout_seconds   = 5
        failure_threshold = 3
        http_get {
          path = "/livez"
          port = local.port
        }
      }
    }

    dynamic "volumes" {
      for_each = var.files
      content {
        name = replace(lower(volumes.key), "_", "-")
        secret {
          secret = volumes.value
          items {
            path    = "content"
            version = "latest"
          }
        }
      }
    }
  }

  lifecycle {
    ignore_changes = [scaling[0].manual_instance_count]
  }
  depends_on = [terraform_data.granted]
}
