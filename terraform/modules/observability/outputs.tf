output "alerts" {
  description = "Names of the alerts, as in docs/runbooks.md."
  value       = keys(google_monitoring_alert_policy.alert)
}
