locals {
  dashboards = ["passenger_flow_dashboard", "ticket_dashboard", "train_dashboard", "incident_dashboard", "equipment_failure_dashboard"]

  # https://developers.google.com/looker-studio/integrate/linking-api
  looker_parameters = merge(
    { "c.mode" = "edit", "r.reportName" = "stationflow" },
    merge([for table in local.dashboards : {
      "ds.${table}.billingProjectId" = var.project
      "ds.${table}.connector"        = "bigQuery"
      "ds.${table}.datasourceName"   = table
      "ds.${table}.datasetId"        = var.prod_bq_dataset
      "ds.${table}.projectId"        = var.project
      "ds.${table}.tableId"          = table
      "ds.${table}.type"             = "TABLE"
    }]...),
  )
}

output "alerts" {
  description = "Alerts, named as their sections in docs/runbooks.md."
  value       = module.observability.alerts
}

output "bridge_image" {
  description = "Image of the bridge that runs, by digest: what bridge_image is set to for a roll back."
  value       = module.bridge.image
}

output "bucket" {
  description = "Address of the lake."
  value       = "gs://${module.lake.bucket}"
}

output "dashboard" {
  description = "Where the pipeline's dashboard can be seen, for those who operate it."
  value       = module.observability.dashboard
}

output "dead_letter_subscription" {
  description = "Subscription that keeps batches that failed for good."
  value       = module.transport.dead_letter_subscription
}

output "functions" {
  description = "Address of each function that is deployed, but for the page, which has an output of its own. Only the callers that Terraform knows may call them."
  value = merge({
    audit     = "${module.functions.audit.uri}/audit"
    ingest    = "${module.functions.ingest.uri}/ingest"
    scale     = "${module.functions.scale.uri}/scale"
    transform = "${module.functions.transform.uri}/transform"
    },
    var.alert == null ? {} : { alert = "${module.functions.alert.uri}/alert" },
    local.compact == null ? {} : { compact = "${module.functions.compact.uri}/compact" },
    var.replay == null ? {} : { replay = "${module.functions.replay.uri}/replay" },
  )
}

output "kafka_cluster" {
  description = "Id of the Confluent cluster that was made, or null."
  value       = one(module.kafka[*].cluster)
}

output "logs" {
  description = "Commands that show what happens, of each part that is deployed."
  value = merge({
    bridge = "gcloud run worker-pools logs read ${module.bridge.pool} --region=${var.region} --project=${var.project}"
    }, {
    for name, deployed in {
      alert     = var.alert != null
      audit     = true
      compact   = local.compact != null
      ingest    = true
      page      = var.page != null
      replay    = var.replay != null
      scale     = true
      transform = true
    } : name => "gcloud functions logs read ${name} --gen2 --region=${var.region} --project=${var.project}" if deployed
  })
}

output "looker_studio_url" {
  description = "Opens a new Looker Studio report that has the dashboard tables as data sources."
  value = "https://lookerstudio.google.com/reporting/create?${join("&", [
    for k, v in local.looker_parameters : "${k}=${urlencode(v)}"
  ])}"
}

output "page" {
  description = "Opens the page at http://127.0.0.1:8080, for those whom page.viewers names; null without it."
  value       = var.page == null ? null : "gcloud run services proxy ${module.functions.page} --port=8080 --region=${var.region} --project=${var.project}"
}

output "prod_bq_dataset" {
  description = "Dataset of the marts."
  value       = module.warehouse.prod_dataset
}

output "scheduler_job" {
  description = "Job that triggers the transform; gcloud scheduler jobs run starts it by hand."
  value       = module.scheduling.job
}

output "simulator_job" {
  description = "Job of the simulated stations, or null; gcloud run jobs execute starts it again."
  value       = module.bridge.simulator
}

output "stg_bq_dataset" {
  description = "Dataset of the raw records."
  value       = module.warehouse.staging_dataset
}
