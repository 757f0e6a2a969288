output "alerts" {
  description = "Names of the alerts, as in docs/runbooks.md."
  value       = keys(google_monitoring_alert_policy.alert)
}

output "dashboard" {
  description = "Where the pipeline's dashboard can be seen."
  value       = "https://console.cloud.google.com/monitoring/dashboards/builder/${element(split("/", google_monitoring_dashboard.pipeline.id), 3)}?project=${var.project}"
}
