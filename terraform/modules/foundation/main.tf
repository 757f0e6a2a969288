# What everything else stands on: the project's APIs, the image registry, the
# identity that builds, the bucket it builds from, and the rights of Google's
# own agents. The outputs wait for all of it, so what takes the project or the
# key from here comes after.

# The service that tells of the project stands by itself: what waits for it
# does not wait again when a feature takes another service later.
resource "google_project_service" "projects" {
  project            = var.project
  service            = "cloudresourcemanager.googleapis.com"
  disable_on_destroy = false # others in the project may use it
}

resource "terraform_data" "projects_enabled" {
  provisioner "local-exec" {
    command = "sleep ${var.propagation_seconds}"
  }

  depends_on = [google_project_service.projects]
}

# Tells the project's number, which is in the names of Google's agents. Were it
# unknown in a plan, the grants to all of them would be made again.
data "google_project" "this" {
  project_id = var.project

  depends_on = [terraform_data.projects_enabled]
}

locals {
  apis = concat([
    "artifactregistry", "bigquery", "bigquerystorage", "cloudbuild", "cloudfunctions", "cloudquotas",
    "cloudscheduler", "iam", "iamcredentials", "logging", "monitoring", "pubsub", "run", "secretmanager", "storage",
  ], var.kms_key == null ? [] : ["cloudkms"], var.network ? ["compute"] : [], var.traces ? ["cloudtrace", "telemetry"] : [])

  # Google's own identities: who acts in the name of a service in this project.
  hosts = ["gcf-admin-robot", "gcp-sa-artifactregistry", "gcp-sa-pubsub", "gcp-sa-secretmanager", "serverless-robot-prod"]
  agents = { for host in local.hosts :
    host => "serviceAccount:service-${data.google_project.this.number}@${host}.iam.gserviceaccount.com"
  }
}

resource "google_project_service" "api" {
  for_each = toset(local.apis)

  project            = var.project
  service            = "${each.key}.googleapis.com"
  disable_on_destroy = false # others in the project may use it
}

# An API just enabled is not known everywhere at once, nor a right just
# granted. Waiting, here and where rights are granted, is what keeps a first
# apply from failing halfway.
resource "terraform_data" "enabled" {
  triggers_replace = local.apis

  provisioner "local-exec" {
    command = "sleep ${var.propagation_seconds}"
  }

  depends_on = [google_project_service.api]
}

resource "google_artifact_registry_repository" "images" {
  #checkov:skip=CKV_GCP_84:kms_key sets a customer-managed key; without it Google's own is the user's choice
  project       = var.project
  location      = var.region
  repository_id = "stationflow"
  description   = "Images of the bridge and of the functions."
  format        = "DOCKER"
  kms_key_name  = var.kms_key

  cleanup_policies {
    id     = "keep-the-last-ten"
    action = "KEEP"
    most_recent_versions {
      keep_count = 10
    }
  }
  cleanup_policies {
    id     = "delete-what-is-older-than-a-month"
    action = "DELETE"
    condition {
      older_than = "2592000s"
    }
  }

  depends_on = [terraform_data.settled]
}

resource "google_storage_bucket" "build" {
  #checkov:skip=CKV_GCP_63:it writes no access logs at all, to itself or elsewhere
  #checkov:skip=CKV_GCP_62:holds copies of this repository's sources and build logs; Cloud Audit Logs tell who reads them
  #checkov:skip=CKV_GCP_78:every object's name holds a hash of its content and is never overwritten
  project                     = var.project
  name                        = "${var.project}-stationflow-build"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = var.demo
  deletion_policy             = var.demo ? "DELETE" : "ABANDON"

  dynamic "encryption" {
    for_each = var.kms_key == null ? [] : [var.kms_key]
    content {
      default_kms_key_name = encryption.value
    }
  }

  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      age            = 90
      matches_prefix = ["source/", "logs/"]
    }
  }

  depends_on = [terraform_data.settled]
}
