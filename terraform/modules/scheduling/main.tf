# Calls the transform. A trigger that repeats is harmless, one that is missed
# is caught up by the next.

resource "google_service_account" "scheduler" {
  project      = var.project
  account_id   = "stationflow-scheduler"
  display_name = "stationflow: Cloud Scheduler calls transform as this"
}

resource "google_cloud_run_v2_service_iam_member" "scheduler" {
  project  = var.project
  location = var.region
  name     = var.transform.service
  role     = "roles/run.invoker"
  member   = google_service_account.scheduler.member
}

resource "google_cloud_scheduler_job" "transform" {
  project          = var.project
  region           = var.region
  name             = "stationflow-transform"
  description      = "Runs the dbt project."
  schedule         = var.deployment.transform_schedule
  time_zone        = "Etc/UTC"
  attempt_deadline = "${var.deployment.transform_attempt_deadline_seconds}s"

  retry_config {
    retry_count          = 1 # the next trigger follows within the minute
    min_backoff_duration = "10s"
    max_backoff_duration = "30s"
  }

  http_target {
    http_method = "POST"
    uri         = "${var.transform.uri}/transform"
    headers     = { "Content-Type" = "application/json" }
    body        = base64encode("{}")

    oidc_token {
      service_account_email = google_service_account.scheduler.email
      audience              = var.transform.uri
    }
  }

  depends_on = [google_cloud_run_v2_service_iam_member.scheduler]
}
