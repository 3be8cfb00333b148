//! Applies the job template and the presets that a request for a job names.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use mediaconvert_job::overlay::{self, OverlayError};
use mediaconvert_job::{system_preset, validate};
use serde_json::{Value, json};

use crate::resource::short;
use crate::routes::failed;
use crate::{CreateJob, Engine, Kind, Resource, Service, ServiceError, Store, request};

/// The most bytes of settings after templates and presets were applied: what a request may have.
const SETTINGS_MAX: usize = 2 << 20;

/// A request with complete settings.
pub(crate) struct Resolved {
    pub(crate) request: CreateJob,
    /// Texts of warnings for the job.
    pub(crate) warnings: Vec<String>,
}

impl<E: Engine> Service<E> {
    /// Completes a request and checks its settings.
    pub(crate) async fn resolve(&self, mut request: CreateJob) -> Result<Resolved, ServiceError> {
        let mut warnings = Vec::new();
        if let Some(name) = request.job_template.clone() {
            let template = self.existing(Kind::JobTemplate, &name).await?;
            if is_system(&template) {
                // Without groups of its own, the job would need what is not public.
                if request.settings["outputGroups"].is_null() {
                    return Err(Kind::JobTemplate.not_found(&self.identity, &name));
                }
                warnings.push(format!(
                    "The settings of the system job template {} are not public: the job's own settings alone apply",
                    template.name
                ));
            }
            over_template(&mut request, &template.body);
        }
        let presets = self.presets(&request.settings).await?;
        overlay::apply_presets(&mut request.settings, |reference| {
            // Each preset that is named has been found.
            let found = presets
                .get(&reference.preset)
                .map(|preset| &preset.body["settings"]);
            found.ok_or_else(|| reference.preset.clone())
        })
        .map_err(|error: OverlayError| ServiceError::BadRequest(error.to_string()))?;
        let size = request.settings.to_string().len();
        if size > SETTINGS_MAX {
            return Err(ServiceError::BadRequest(format!(
                "The settings have {size} bytes with the job template and presets, more than {SETTINGS_MAX}"
            )));
        }
        request::accept(&validate::settings(&request.settings))?;
        let stand_ins = presets.values().filter(|preset| is_system(preset));
        warnings.extend(stand_ins.map(|preset| stand_in_warning(&preset.name)));
        Ok(Resolved { request, warnings })
    }

    /// The presets that the outputs of settings name, by the name or ARN that they use.
    async fn presets(&self, settings: &Value) -> Result<BTreeMap<String, Resource>, ServiceError> {
        let mut presets = BTreeMap::new();
        for reference in overlay::references(settings) {
            if let Entry::Vacant(entry) = presets.entry(reference.preset) {
                let preset = self.existing(Kind::Preset, entry.key()).await?;
                entry.insert(preset);
            }
        }
        Ok(presets)
    }

    /// The job template, preset or queue with this name or ARN.
    pub(crate) async fn existing(&self, kind: Kind, name: &str) -> Result<Resource, ServiceError> {
        let name = short(name);
        let stored = self.engine.store().resource(kind, name).await;
        let found = stored.map_err(failed("read a resource"))?;
        let found = found.or_else(|| match kind {
            Kind::Preset => Some(self.stand_in(kind, name, &system_preset::stand_in(name)?)),
            Kind::JobTemplate if system_preset::is_system_template(name) => {
                Some(self.stand_in(kind, name, &json!({})))
            }
            Kind::Queue if *name == *self.identity.queue => Some(self.default_queue()),
            _ => None,
        });
        found.ok_or_else(|| kind.not_found(&self.identity, name))
    }

    /// The stand-in of a resource of AWS.
    fn stand_in(&self, kind: Kind, name: &str, settings: &Value) -> Resource {
        Resource {
            name: name.to_owned(),
            body: json!({
                "name": name,
                "arn": self.identity.arn(kind.as_str(), name),
                "type": "SYSTEM",
                "description": "Replaces the system resource of this name, whose settings are not public",
                "createdAt": 0,
                "lastUpdated": 0,
                "settings": settings,
            }),
            tags: BTreeMap::new(),
        }
    }
}

fn is_system(resource: &Resource) -> bool {
    resource.body["type"] == "SYSTEM"
}

fn stand_in_warning(name: &str) -> String {
    format!(
        "The settings of the system preset {name} are not public: its container, codecs, size, frame rate and bitrate are \
         taken from its name, everything else is a choice of this engine"
    )
}

/// Members of a request count before those of its job template. API reference, `CreateJobTemplate.queue`: "The queue that jobs
/// created from this template are assigned to."
fn over_template(request: &mut CreateJob, template: &Value) {
    let text = |member: &str| template[member].as_str().map(str::to_owned);
    let value = |member: &str| Some(template[member].clone()).filter(|value| !value.is_null());
    request.settings = overlay::job_over_template(&template["settings"], &request.settings);
    request.job_template = text("arn");
    request.queue = request.queue.take().or_else(|| text("queue"));
    request.status_update_interval = request
        .status_update_interval
        .take()
        .or_else(|| text("statusUpdateInterval"));
    let priority = template["priority"].as_i64();
    let priority = priority.and_then(|priority| i32::try_from(priority).ok());
    request.priority = request.priority.or(priority);
    request.acceleration_settings = request
        .acceleration_settings
        .take()
        .or_else(|| value("accelerationSettings"));
    request.hop_destinations = request
        .hop_destinations
        .take()
        .or_else(|| value("hopDestinations"));
}
