# Calls the check of how many bridges shall run. It has an identity of its own: that of
# the transform's job may not call it.

resource "google_service_account" "scale_scheduler" {
  project      = var.project
  account_id   = "stationflow-scale-scheduler"
  display_name = "stationflow: Cloud Scheduler calls scale as this"
}

resource "google_cloud_run_v2_service_iam_member" "scale_scheduler" {
  project  = var.project
  location = var.region
  name     = var.scale.service
  role     = "roles/run.invoker"
  member   = google_service_account.scale_scheduler.member
}

resource "google_cloud_scheduler_job" "scale" {
  project          = var.project
  region           = var.region
  name             = "stationflow-scale"
  description      = "Sets how many bridges run."
  schedule         = var.deployment.scale_schedule
  time_zone        = "Etc/UTC"
  attempt_deadline = "${var.deployment.scale_attempt_deadline_seconds}s"

  retry_config {
    retry_count = 0 # the next call follows within the minute
  }

  http_target {
    http_method = "POST"
    uri         = "${var.scale.uri}/scale"

    oidc_token {
      service_account_email = google_service_account.scale_scheduler.email
      audience              = var.scale.uri
    }
  }

  depends_on = [google_cloud_run_v2_service_iam_member.scale_scheduler]
}
