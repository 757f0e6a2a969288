resource "google_service_account" "simulator" {
  count = var.simulate ? 1 : 0

  project      = var.project
  account_id   = "stationflow-simulator"
  display_name = "stationflow: runs the simulated stations"
}

# Runs once when it is made. At this speed 20 minutes are some 5 hours of the
# stations; events much further ahead would be refused.
resource "google_cloud_run_v2_job" "simulator" {
  count = var.simulate ? 1 : 0

  project               = var.project
  location              = var.region
  name                  = "stationflow-simulator"
  deletion_protection   = false
  start_execution_token = "first"

  template {
    task_count = 1

    template {
      service_account = google_service_account.simulator[0].email
      encryption_key  = var.kms_key
      max_retries     = 1
      timeout         = "1800s"

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
        image   = local.image
        command = ["/simulator"]
        args    = concat(["--speed=10", "--for=20m"], var.registry_format == null ? [] : ["--format=${var.registry_format}"])

        resources {
          limits = { cpu = "1", memory = "512Mi" }
        }
        dynamic "env" {
          for_each = local.variables["simulator"]
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
  }

  # The bridge is there first, so that the events are seen to arrive.
  depends_on = [google_cloud_run_v2_worker_pool.bridge]
}
