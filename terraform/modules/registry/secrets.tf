# The keys' secrets, where the workloads read them.

resource "google_secret_manager_secret" "password" {
  #checkov:skip=CKV_GCP_225:kms_key sets a customer-managed key; without it Google's own is the user's choice
  for_each = local.clients

  project             = var.project
  secret_id           = "stationflow-registry-${each.key}"
  deletion_protection = false # a key can be made again at any time

  replication {
    user_managed {
      replicas {
        location = var.region

        dynamic "customer_managed_encryption" {
          for_each = var.kms_key == null ? [] : [var.kms_key]
          content {
            kms_key_name = customer_managed_encryption.value
          }
        }
      }
    }
  }
}

resource "google_secret_manager_secret_version" "password" {
  for_each = local.clients

  secret          = google_secret_manager_secret.password[each.key].id
  secret_data     = confluent_api_key.client[each.key].secret
  deletion_policy = "DELETE"

  lifecycle {
    create_before_destroy = true
  }
}
