# The data lake: every valid record as Parquet under raw/, values too large
# for a row under quarantine/, the transform's last artifacts under dbt/, and
# one file without rows per topic under reference/, from which BigQuery takes
# the columns while raw/ is empty.

resource "google_storage_bucket" "lake" {
  #checkov:skip=CKV_GCP_63:it writes no access logs at all, to itself or elsewhere
  #checkov:skip=CKV_GCP_62:Cloud Audit Logs tell who reads; access logs to another bucket are the user's choice
  project                     = var.project
  name                        = var.bucket
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = var.demo
  deletion_policy             = var.demo ? "DELETE" : "ABANDON"

  # Records' names are never written twice: versions guard against a mistake
  # by hand.
  versioning {
    enabled = true
  }

  # Otherwise Cloud Storage keeps, and bills, each deleted version for 7 days
  # more (https://cloud.google.com/storage/docs/soft-delete).
  soft_delete_policy {
    retention_duration_seconds = 0
  }

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
      days_since_noncurrent_time = 30
      with_state                 = "ARCHIVED"
    }
  }

  # Each run of the transform replaces its artifacts.
  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      days_since_noncurrent_time = 1
      matches_prefix             = ["dbt/"]
      with_state                 = "ARCHIVED"
    }
  }

  # The marks of alerts keep the same from being told twice: longer than a dead
  # letter waits, and than the oldest event is told of.
  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      age            = 90
      matches_prefix = ["alerts/"]
      with_state     = "LIVE"
    }
  }

  dynamic "lifecycle_rule" {
    for_each = var.canary ? [1] : []
    content {
      action {
        type = "Delete"
      }
      condition {
        age            = 7
        matches_prefix = ["raw/stationflow_canary/"]
        with_state     = "LIVE"
      }
    }
  }

  dynamic "lifecycle_rule" {
    for_each = var.cold_after_days == null ? [] : [var.cold_after_days]
    content {
      action {
        type          = "SetStorageClass"
        storage_class = "NEARLINE"
      }
      condition {
        age                   = lifecycle_rule.value
        matches_prefix        = ["raw/", "quarantine/"]
        matches_storage_class = ["STANDARD"]
      }
    }
  }

  dynamic "lifecycle_rule" {
    for_each = var.retention_days == null ? [] : [var.retention_days]
    content {
      action {
        type = "Delete"
      }
      condition {
        age            = lifecycle_rule.value
        matches_prefix = ["raw/", "quarantine/", "discarded/"]
        with_state     = "LIVE"
      }
    }
  }

  lifecycle_rule {
    action {
      type = "AbortIncompleteMultipartUpload"
    }
    condition {
      age = 1
    }
  }
}

resource "google_storage_bucket_object" "reference" {
  for_each = var.references

  bucket       = google_storage_bucket.lake.name
  name         = "reference/${each.key}.parquet"
  source       = each.value
  content_type = "application/vnd.apache.parquet"
}
