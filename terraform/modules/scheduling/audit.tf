# Calls audit. It has an identity of its own: those of the other jobs may not
# call it.

resource "google_service_account" "audit_scheduler" {
  project      = var.project
  account_id   = "stationflow-audit-scheduler"
  display_name = "stationflow: Cloud Scheduler calls audit as this"
}

resource "google_cloud_run_v2_service_iam_member" "audit_scheduler" {
  project  = var.project
  location = var.region
  name     = var.audit.service
  role     = "roles/run.invoker"
  member   = google_service_account.audit_scheduler.member
}

resource "google_cloud_scheduler_job" "audit" {
  project          = var.project
  region           = var.region
  name             = "stationflow-audit"
  description      = "Proves where every record of the last hours is."
  schedule         = var.deployment.audit_schedule
  time_zone        = "Etc/UTC"
  attempt_deadline = "${var.deployment.audit_attempt_deadline_seconds}s"

  retry_config {
    retry_count = 0 # the next call looks at these hours again
  }

  http_target {
    http_method = "POST"
    uri         = "${var.audit.uri}/audit"

    oidc_token {
      service_account_email = google_service_account.audit_scheduler.email
      audience              = var.audit.uri
    }
  }

  depends_on = [google_cloud_run_v2_service_iam_member.audit_scheduler]
}
