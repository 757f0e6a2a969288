# Google's own agents act in the name of each service. Pub/Sub's is always
# granted rights; the others use the key, when there is one. Storage's and
# BigQuery's exist once they are asked for. The rest may not exist before their
# first use, and are made by a script that needs gcloud, because the provider
# has no resource for it.

data "google_storage_project_service_account" "lake" {
  count   = var.kms_key == null ? 0 : 1
  project = var.project

  depends_on = [terraform_data.enabled]
}

data "google_bigquery_default_service_account" "warehouse" {
  count   = var.kms_key == null ? 0 : 1
  project = var.project

  depends_on = [terraform_data.enabled]
}

locals {
  agents_made = concat(["pubsub"], var.kms_key == null ? [] : ["artifactregistry", "cloudfunctions", "run", "secretmanager"])
}

resource "terraform_data" "agents" {
  triggers_replace = local.agents_made

  provisioner "local-exec" {
    command = "${path.module}/../../../scripts/service-agents.sh ${var.project} ${join(" ", local.agents_made)}"
  }

  depends_on = [terraform_data.enabled]
}

resource "google_kms_crypto_key_iam_member" "agent" {
  for_each = var.kms_key == null ? {} : merge(local.agents, {
    storage  = "serviceAccount:${data.google_storage_project_service_account.lake[0].email_address}"
    bigquery = "serviceAccount:${data.google_bigquery_default_service_account.warehouse[0].email}"
  })

  crypto_key_id = var.kms_key
  role          = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
  member        = each.value

  depends_on = [terraform_data.agents]
}

# What others wait for: the APIs, and with a key the agents' right to use it.
resource "terraform_data" "settled" {
  triggers_replace = var.kms_key

  provisioner "local-exec" {
    command = "sleep ${var.kms_key == null ? 0 : var.propagation_seconds}"
  }

  depends_on = [google_kms_crypto_key_iam_member.agent, terraform_data.agents, terraform_data.enabled]
}
