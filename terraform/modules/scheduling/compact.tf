# Calls compact. It has an identity of its own: those of the other jobs may not
# call it.

resource "google_service_account" "compact_scheduler" {
  count = var.compacts ? 1 : 0

  project      = var.project
  account_id   = "stationflow-compact-scheduler"
  display_name = "stationflow: Cloud Scheduler calls compact as this"
}

resource "google_cloud_run_v2_service_iam_member" "compact_scheduler" {
  count = var.compacts ? 1 : 0

  project  = var.project
  location = var.region
  name     = var.compact.service
  role     = "roles/run.invoker"
  member   = google_service_account.compact_scheduler[0].member
}

resource "google_cloud_scheduler_job" "compact" {
  count = var.compacts ? 1 : 0

  project          = var.project
  region           = var.region
  name             = "stationflow-compact"
  description      = "Merges the lake's files of closed hours."
  schedule         = var.deployment.compact_schedule
  time_zone        = "Etc/UTC"
  attempt_deadline = "${var.deployment.compact_attempt_deadline_seconds}s"

  retry_config {
    retry_count = 0 # the next call takes up what this one has left
  }

  http_target {
    http_method = "POST"
    uri         = "${var.compact.uri}/compact"

    oidc_token {
      service_account_email = google_service_account.compact_scheduler[0].email
      audience              = var.compact.uri
    }
  }

  depends_on = [google_cloud_run_v2_service_iam_member.compact_scheduler]
}
