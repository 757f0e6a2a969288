# Alerts, and the metrics that are counted from log lines. Conditions are
# written in PromQL without validation, because a metric is unknown until its
# first line is logged and a first apply would otherwise fail.

locals {
  run        = "monitored_resource=\"cloud_run_revision\""
  pool       = "monitored_resource=\"cloud_run_worker_pool\""
  compact    = "${local.run},service_name=\"compact\""
  quarantine = "[${var.deployment.quarantine_alert_minutes}m]"

  # What the lines of each workload have in common.
  logs = merge(
    { bridge = "resource.type=\"cloud_run_worker_pool\" AND resource.labels.worker_pool_name=\"${var.bridge}\"" },
    { for f in ["audit", "ingest", "scale", "transform"] : f => "resource.type=\"cloud_run_revision\" AND resource.labels.service_name=\"${f}\"" },
  )

  # Where canaries must arrive, how old the youngest of 15 minutes may be, in
  # milliseconds, and what says that some were due: the bridge sent them, or a run
  # of the transform published. While the bridge sleeps, or the transform has
  # nothing to do, none is due. The first after a pause may be old.
  hops = { for hop, h in {
    lake    = { age = 300000, due = "stationflow_canaries_sent{${local.pool}}[15m])) >= 10", of = "ingest" }
    marts   = { age = 600000, due = "stationflow_canary_runs{${local.run}}[15m])) >= 3", of = "transform" }
    staging = { age = 300000, due = "stationflow_canaries_sent{${local.pool}}[15m])) >= 10", of = "ingest" }
  } : hop => h if contains(var.canary_hops, hop) }
  canary_metrics = merge(
    { for hop, h in local.hops : "stationflow_canary_${hop}_ms" => {
      description = "Age of a canary when it arrived at the hop ${hop}."
      filter      = "${local.logs[h.of]} AND jsonPayload.message=\"canary arrived\" AND jsonPayload.hop=\"${hop}\""
      extract     = "EXTRACT(jsonPayload.age_ms)"
      unit        = "ms"
    } },
    { for name, m in {
      stationflow_canaries_sent = {
        description = "Canaries that the bridge sent, or tried to, once a minute while it runs."
        filter      = "${local.logs.bridge} AND jsonPayload.message=(\"canary sent\" OR \"canary not sent\")"
        extract     = null
        unit        = "1"
      }
      stationflow_canary_runs = {
        description = "Runs of the transform that published, and so should have carried a canary."
        filter      = "${local.logs.transform} AND jsonPayload.message=(\"canary arrived\" OR \"canary not carried\")"
        extract     = null
        unit        = "1"
      }
    } : name => m if length(local.hops) > 0 },
  )
  canary_alert = { for name, a in {
    canary = {
      title    = "Canaries do not arrive"
      severity = "ERROR"
      query = join(" or ", [for hop, h in local.hops :
        "(sum(increase(logging_googleapis_com:user_${h.due} unless histogram_quantile(0, sum by (le) (increase(logging_googleapis_com:user_stationflow_canary_${hop}_ms_bucket{${local.run}}[15m]))) <= ${h.age})"
      ])
      duration = "0s"
    }
  } : name => a if length(local.hops) > 0 }

  metrics = merge(local.canary_metrics, {
    stationflow_audits = {
      description = "Audits, once an hour, that found out whether all is complete."
      filter      = "${local.logs.audit} AND jsonPayload.message=\"audit finished\""
      extract     = null
      unit        = "1"
    }
    stationflow_audits_incomplete = {
      description = "Audits that found records which are in neither staging nor quarantine, or not in the lake."
      filter      = "${local.logs.audit} AND jsonPayload.message=\"audit finished\" AND jsonPayload.complete=false"
      extract     = null
      unit        = "1"
    }
    stationflow_bridge_lag_ms = {
      description = "Age of the oldest record that the bridge has read and not handed on, once a minute."
      filter      = "${local.logs.bridge} AND jsonPayload.message=\"batches published\""
      extract     = "EXTRACT(jsonPayload.lag_ms)"
      unit        = "ms"
    }
    stationflow_bridge_missing = {
      description = "Checks, once a minute, that found nobody in the bridge's consumer group although the pool shall have instances."
      filter      = "${local.logs.scale} AND jsonPayload.message=\"pool checked\" AND jsonPayload.before>0 AND jsonPayload.members=0"
      extract     = null
      unit        = "1"
    }
    stationflow_bridge_unhealthy = {
      description = "Minutes in which the health of the bridge fails."
      filter      = "${local.logs.bridge} AND jsonPayload.message=\"the bridge is unhealthy\""
      extract     = null
      unit        = "1"
    }
    stationflow_checks = {
      description = "Checks, once a minute, of how many bridges shall run."
      filter      = "${local.logs.scale} AND jsonPayload.message=\"pool checked\""
      extract     = null
      unit        = "1"
    }
    stationflow_freshness_ms = {
      description = "Age of the oldest record of a batch when its rows were in BigQuery."
      filter      = "${local.logs.ingest} AND jsonPayload.message=\"batch ingested\""
      extract     = "EXTRACT(jsonPayload.age_ms)"
      unit        = "ms"
    }
    stationflow_quarantined_records = {
      description = "Records of a batch that ingest refused, tombstones left out."
      filter      = "${local.logs.ingest} AND jsonPayload.message=\"batch ingested\""
      extract     = "EXTRACT(jsonPayload.refused)"
      unit        = "1"
    }
    stationflow_records = {
      description = "Records of a batch that ingest took."
      filter      = "${local.logs.ingest} AND jsonPayload.message=\"batch ingested\""
      extract     = "EXTRACT(jsonPayload.records)"
      unit        = "1"
    }
    stationflow_transform_failures = {
      description = "Runs of the transform that failed."
      filter      = "${local.logs.transform} AND jsonPayload.message=\"transform finished\" AND jsonPayload.status!=\"success\""
      extract     = null
      unit        = "1"
    }
    stationflow_transform_successes = {
      description = "Runs of the transform that succeeded."
      filter      = "${local.logs.transform} AND jsonPayload.message=\"transform finished\" AND jsonPayload.status=\"success\""
      extract     = null
      unit        = "1"
    }
  })

  # Each is a chart of the dashboard, and has a section of docs/runbooks.md, named as here.
  alerts = merge(local.canary_alert, {
    dead-letters = {
      title    = "Batches wait in the dead letter"
      severity = "CRITICAL"
      query    = "max(pubsub_googleapis_com:subscription_num_undelivered_messages{monitored_resource=\"pubsub_subscription\",subscription_id=\"${var.dead_letter_subscription}\"}) > 0"
      duration = "60s"
    }
    failed-transforms = {
      title    = "Transforms fail"
      severity = "ERROR"
      query    = "sum(increase(logging_googleapis_com:user_stationflow_transform_failures{${local.run}}[10m])) >= 3"
      duration = "0s"
    }
    freshness = {
      title    = "Records arrive late in staging"
      severity = "ERROR"
      query    = "max(pubsub_googleapis_com:subscription_oldest_unacked_message_age{monitored_resource=\"pubsub_subscription\",subscription_id=\"${var.ingest_subscription}\"}) > 120"
      duration = "120s"
    }
    function-errors = {
      title    = "A function answers with errors, or compact has stopped"
      severity = "WARNING"
      # Compact is called once an hour, so a second failure is one too many, and
      # six hours without a success too long. Before its first none is missed.
      query = join(" or ", concat([
        "sum by (service_name) (increase(run_googleapis_com:request_count{${local.run},service_name=~\"alert|audit|ingest|scale|transform\",response_code_class=\"5xx\"}[10m])) > 5"
        ], var.compacts ? [
        "sum by (service_name) (increase(run_googleapis_com:request_count{${local.compact},response_code_class=\"5xx\"}[3h])) >= 2",
        "(sum by (service_name) (increase(run_googleapis_com:request_count{${local.compact},response_code_class=\"2xx\"}[1d])) > 0 unless sum by (service_name) (increase(run_googleapis_com:request_count{${local.compact},response_code_class=\"2xx\"}[6h])) > 0)",
      ] : []))
      duration = "300s"
    }
    incomplete = {
      title    = "Records are missing, or nothing has looked for three hours whether any are"
      severity = "CRITICAL"
      query    = "sum(increase(logging_googleapis_com:user_stationflow_audits_incomplete{${local.run}}[90m])) >= 1 or (sum(increase(logging_googleapis_com:user_stationflow_audits{${local.run}}[3h])) or vector(0)) < 1"
      duration = "0s"
    }
    lag = {
      title    = "The bridge lags behind Kafka"
      severity = "ERROR"
      query    = "histogram_quantile(0.5, sum by (le) (increase(logging_googleapis_com:user_stationflow_bridge_lag_ms_bucket{${local.pool}}[5m]))) > 60000"
      duration = "300s"
    }
    missing-checks = {
      title    = "Nothing has checked for 15 minutes whether the bridge shall run"
      severity = "CRITICAL"
      query    = "(sum(increase(logging_googleapis_com:user_stationflow_checks{${local.run}}[15m])) or vector(0)) < 1"
      duration = "300s"
    }
    missing-transforms = {
      title    = "No transform has succeeded for 15 minutes"
      severity = "CRITICAL"
      query    = "(sum(increase(logging_googleapis_com:user_stationflow_transform_successes{${local.run}}[15m])) or vector(0)) < 1"
      duration = "300s"
    }
    quarantine-rate = {
      title    = "More than ${var.deployment.quarantine_alert_share * 100} % of the records are quarantined"
      severity = "WARNING"
      query    = "sum(increase(logging_googleapis_com:user_stationflow_quarantined_records_sum{${local.run}}${local.quarantine})) / sum(increase(logging_googleapis_com:user_stationflow_records_sum{${local.run}}${local.quarantine})) > ${var.deployment.quarantine_alert_share}"
      duration = "300s"
    }
    # A bridge that sleeps is not in its group either: only where the pool shall
    # have instances it is missed.
    stopped-bridge = {
      title    = "The bridge does not stay up"
      severity = "CRITICAL"
      query    = "sum(increase(logging_googleapis_com:user_stationflow_bridge_missing{${local.run}}[10m])) >= 5"
      duration = "0s"
    }
    unhealthy-bridge = {
      title    = "Part of what the bridge reads stands still"
      severity = "ERROR"
      query    = "sum(increase(logging_googleapis_com:user_stationflow_bridge_unhealthy{${local.pool}}[5m])) >= 2"
      duration = "0s"
    }
  })
}

resource "google_logging_metric" "metric" {
  for_each = local.metrics

  project         = var.project
  name            = each.key
  description     = each.value.description
  filter          = each.value.filter
  value_extractor = each.value.extract

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = each.value.extract == null ? "INT64" : "DISTRIBUTION"
    unit        = each.value.unit
  }

  # From 1 to 2^24 ms, some 4.7 hours.
  dynamic "bucket_options" {
    for_each = each.value.extract == null ? [] : [1]
    content {
      exponential_buckets {
        growth_factor      = 2
        num_finite_buckets = 24
        scale              = 1
      }
    }
  }
}

# Cloud Run logs each request. Those of batches that ingest took say nothing
# that its own line does not, and are most of all logs; what failed is kept.
resource "google_logging_project_exclusion" "ingest_requests" {
  project     = var.project
  name        = "stationflow-ingest-requests"
  description = "Requests that ingest answered well."
  filter      = "${local.logs.ingest} AND log_id(\"run.googleapis.com/requests\") AND httpRequest.status<400"
}

# Ingest logs each batch that it took, which is most of all that is left. The
# metrics above count all these lines, because metrics are counted before
# anything is excluded; a share is kept for people to read.
resource "google_logging_project_exclusion" "ingested_batches" {
  project     = var.project
  name        = "stationflow-ingested-batches"
  description = "Most lines of batches that ingest took."
  filter      = "${local.logs.ingest} AND jsonPayload.message=(\"batch ingested\" OR \"batch archived\" OR \"batch passed over\") AND sample(insertId, ${1 - var.deployment.ingest_log_share})"
}

resource "google_monitoring_notification_channel" "email" {
  for_each = var.alert_emails

  project      = var.project
  display_name = "stationflow: ${each.value}"
  type         = "email"
  labels       = { email_address = each.value }
}

resource "google_monitoring_alert_policy" "alert" {
  for_each = local.alerts

  project               = var.project
  display_name          = "stationflow: ${each.value.title}"
  combiner              = "OR"
  severity              = each.value.severity
  notification_channels = [for c in google_monitoring_notification_channel.email : c.id]

  conditions {
    display_name = each.value.title
    condition_prometheus_query_language {
      query                     = each.value.query
      duration                  = each.value.duration
      evaluation_interval       = "60s"
      disable_metric_validation = true
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = "What it means and what to do: ${var.runbooks_url}#${each.key}"
    links {
      display_name = "Runbook"
      url          = "${var.runbooks_url}#${each.key}"
    }
  }

  alert_strategy {
    auto_close = "86400s"
  }

  depends_on = [google_logging_metric.metric]
}
