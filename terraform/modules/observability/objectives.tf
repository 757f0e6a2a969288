# What the pipeline promises, over 28 days. Cloud Monitoring takes an objective
# only once it knows its metric, which is after the first line that is counted:
# switch them on when the first records are through.

locals {
  # A record after a pause waits for the bridge to start.
  freshness_ms = var.idle == "stop" ? 150000 : 10000
}

resource "google_monitoring_custom_service" "pipeline" {
  count = var.objectives ? 1 : 0

  project      = var.project
  service_id   = "stationflow"
  display_name = "stationflow"
}

resource "google_monitoring_slo" "freshness" {
  count = var.objectives ? 1 : 0

  project             = var.project
  service             = google_monitoring_custom_service.pipeline[0].service_id
  slo_id              = "freshness"
  display_name        = "99 % of the batches are in BigQuery within ${local.freshness_ms / 1000} s"
  goal                = 0.99
  rolling_period_days = 28

  request_based_sli {
    distribution_cut {
      distribution_filter = "metric.type=\"logging.googleapis.com/user/stationflow_freshness_ms\" AND resource.type=\"cloud_run_revision\""
      range { max = local.freshness_ms }
    }
  }

  depends_on = [google_logging_metric.metric]
}

resource "google_monitoring_slo" "completeness" {
  count = var.objectives ? 1 : 0

  project             = var.project
  service             = google_monitoring_custom_service.pipeline[0].service_id
  slo_id              = "completeness"
  display_name        = "99.5 % of the audits find every record"
  goal                = 0.995
  rolling_period_days = 28

  request_based_sli {
    good_total_ratio {
      bad_service_filter   = "metric.type=\"logging.googleapis.com/user/stationflow_audits_incomplete\" AND resource.type=\"cloud_run_revision\""
      total_service_filter = "metric.type=\"logging.googleapis.com/user/stationflow_audits\" AND resource.type=\"cloud_run_revision\""
    }
  }

  depends_on = [google_logging_metric.metric]
}
