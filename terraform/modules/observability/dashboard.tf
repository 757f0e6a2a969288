# The pipeline, hop by hop, for those who operate it. The stations' figures are
# Looker Studio's.

locals {
  rate = "{${local.run}}[5m]"

  # Each chart is a title and its lines: a legend and what it shows, in PromQL.
  charts = [
    { title = "Records a second", lines = {
      all         = "sum(rate(logging_googleapis_com:user_stationflow_records_sum${local.rate}))"
      quarantined = "sum(rate(logging_googleapis_com:user_stationflow_quarantined_records_sum${local.rate}))"
    } },
    { title = "Kafka to BigQuery, ms", lines = { for q in ["0.5", "0.9", "0.99"] :
      "p${q * 100}" => "histogram_quantile(${q}, sum by (le) (increase(logging_googleapis_com:user_stationflow_freshness_ms_bucket${local.rate})))"
    } },
    { title = "Oldest record that the bridge holds, ms", lines = {
      p50 = "histogram_quantile(0.5, sum by (le) (increase(logging_googleapis_com:user_stationflow_bridge_lag_ms_bucket{${local.pool}}[5m])))"
    } },
    { title = "Oldest batch that ingest has not taken, s", lines = {
      age = "max(pubsub_googleapis_com:subscription_oldest_unacked_message_age{monitored_resource=\"pubsub_subscription\",subscription_id=\"${var.ingest_subscription}\"})"
    } },
    { title = "Dead letters", lines = {
      waiting = "max(pubsub_googleapis_com:subscription_num_undelivered_messages{monitored_resource=\"pubsub_subscription\",subscription_id=\"${var.dead_letter_subscription}\"})"
    } },
    { title = "Transforms in 5 minutes", lines = {
      failed    = "sum(increase(logging_googleapis_com:user_stationflow_transform_failures${local.rate}))"
      succeeded = "sum(increase(logging_googleapis_com:user_stationflow_transform_successes${local.rate}))"
    } },
    { title = "Audits in 3 hours", lines = {
      all        = "sum(increase(logging_googleapis_com:user_stationflow_audits{${local.run}}[3h]))"
      incomplete = "sum(increase(logging_googleapis_com:user_stationflow_audits_incomplete{${local.run}}[3h]))"
    } },
    { title = "Requests a second, by function and answer", lines = {
      "{{service_name}} {{response_code_class}}" = "sum by (service_name, response_code_class) (rate(run_googleapis_com:request_count${local.rate}))"
    } },
    { title = "Checks in 5 minutes: has nobody read?", lines = {
      checks  = "sum(increase(logging_googleapis_com:user_stationflow_checks${local.rate}))"
      missing = "sum(increase(logging_googleapis_com:user_stationflow_bridge_missing${local.rate}))"
    } },
  ]
}

resource "google_monitoring_dashboard" "pipeline" {
  project = var.project
  dashboard_json = jsonencode({
    displayName = "stationflow"
    mosaicLayout = {
      columns = 48
      tiles = concat([for i, chart in local.charts : {
        xPos  = 16 * (i % 3), yPos = 12 * floor(i / 3)
        width = 16, height = 12
        widget = {
          title = chart.title
          xyChart = { dataSets = [for legend, query in chart.lines : {
            legendTemplate  = legend
            plotType        = "LINE"
            timeSeriesQuery = { prometheusQuery = query }
          }] }
        }
        }], [{
        xPos  = 0, yPos = 36
        width = 24, height = 16
        widget = {
          title        = "Open alerts"
          incidentList = { policyNames = [], monitoredResources = [] } # all of the project's
        }
        }, {
        xPos  = 24, yPos = 36
        width = 24, height = 16
        widget = {
          title = "What failed"
          logsPanel = {
            filter        = "severity>=WARNING AND (${join(" OR ", [for workload in sort(keys(local.logs)) : "(${local.logs[workload]})"])})"
            resourceNames = ["projects/${var.project}"]
          }
        }
      }])
    }
  })
}
