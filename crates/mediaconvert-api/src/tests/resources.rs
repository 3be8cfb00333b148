//! Job templates, presets, queues, tags, queries and the policy, over a store in memory.

use serde_json::{Value, json};

use super::TestService;
use crate::testing;

const ACCOUNT: &str = "arn:aws:mediaconvert:us-east-1:000000000000";

/// The settings of a preset: those of the sample job's output.
fn preset() -> Value {
    let output = testing::settings("s3://b/in.mp4", "s3://b/out/")["outputGroups"][0]["outputs"][0].clone();
    json!({ "containerSettings": output["containerSettings"], "videoDescription": output["videoDescription"] })
}

/// The settings of a job template whose one output has a preset.
fn template(name: &str) -> Value {
    let mut settings = testing::settings("", "s3://b/of-the-template/");
    settings["inputs"][0].as_object_mut().unwrap().remove("fileInput");
    settings["outputGroups"][0]["outputs"] = json!([{ "preset": name, "nameModifier": "_x" }]);
    settings
}

fn job(settings: &Value) -> Value {
    json!({ "role": "arn:aws:iam::000000000000:role/mc", "settings": settings })
}

fn input() -> Value {
    json!({ "inputs": [{ "fileInput": "s3://b/in.mp4" }] })
}

#[tokio::test]
async fn a_job_takes_its_settings_from_a_template_and_presets() {
    let service = TestService::start().await;
    let create = json!({ "name": "small", "category": "c", "settings": preset(), "tags": { "a": "b" } });
    let (status, created) = service.call("POST", "/presets", create).await;
    assert_eq!(status, 201, "{created}");
    assert_eq!(created["preset"]["arn"], format!("{ACCOUNT}:presets/small"));
    assert_eq!(created["preset"]["tags"], Value::Null);
    let create = json!({ "name": "film", "settings": template("small"), "priority": 7, "statusUpdateInterval": "SECONDS_10" });
    let (status, created) = service.call("POST", "/jobTemplates", create).await;
    assert_eq!(status, 201, "{created}");

    // By name and by ARN.
    for name in ["film".to_owned(), format!("{ACCOUNT}:jobTemplates/film")] {
        let mut body = job(&input());
        body["jobTemplate"] = name.into();
        let (status, made) = service.call("POST", "/jobs", body).await;
        let made = &made["job"];
        assert_eq!(status, 201, "{made}");
        assert_eq!(made["jobTemplate"], format!("{ACCOUNT}:jobTemplates/film"));
        assert_eq!(
            (&made["priority"], &made["statusUpdateInterval"]),
            (&json!(7), &json!("SECONDS_10"))
        );
        let settings = &made["settings"];
        assert_eq!(settings["inputs"][0]["videoSelector"]["rotate"], "AUTO");
        let output = &settings["outputGroups"][0]["outputs"][0];
        assert_eq!(
            (&output["nameModifier"], &output["videoDescription"]["width"]),
            (&json!("_x"), &json!(320))
        );
        assert_eq!(
            (&output["preset"], &made["warnings"]),
            (&Value::Null, &Value::Null)
        );
    }

    // The job's groups replace the template's, and its own members count.
    let mut body = job(&testing::settings("s3://b/in.mp4", "s3://b/mine/"));
    body["jobTemplate"] = "film".into();
    body["priority"] = (-1).into();
    let (_, made) = service.call("POST", "/jobs", body).await;
    let destination = "/job/settings/outputGroups/0/outputGroupSettings/fileGroupSettings/destination";
    assert_eq!(made.pointer(destination).unwrap(), "s3://b/mine/");
    assert_eq!(made["job"]["priority"], -1);

    // What is gone, in AWS's words.
    assert_eq!(service.call("DELETE", "/presets/small", Value::Null).await.0, 202);
    let mut body = job(&input());
    body["jobTemplate"] = "film".into();
    let (status, error) = service.call("POST", "/jobs", body.clone()).await;
    assert_eq!((status, &error["error"]), (404, &json!("NotFoundException")));
    assert_eq!(
        error["message"],
        format!("The specified preset was not found: presetArn={ACCOUNT}:presets/small.")
    );
    body["jobTemplate"] = "gone".into();
    let (_, error) = service.call("POST", "/jobs", body).await;
    assert_eq!(
        error["message"],
        format!("The specified job template was not found: jobTemplateArn={ACCOUNT}:jobTemplates/gone.")
    );
}

#[tokio::test]
async fn a_system_preset_has_a_stand_in_and_the_job_a_warning() {
    let service = TestService::start().await;
    let mut settings = template("System-Generic_Hd_Mp4_Avc_Aac_16x9_1280x720p_24Hz_4.5Mbps");
    settings["inputs"] = input()["inputs"].clone();
    let (status, made) = service.call("POST", "/jobs", job(&settings)).await;
    assert_eq!(status, 201, "{made}");
    assert_eq!(made["job"]["warnings"], json!([{ "code": 900_050, "count": 1 }]));
    let output = &made["job"]["settings"]["outputGroups"][0]["outputs"][0];
    assert_eq!(output["videoDescription"]["height"], 720);

    settings["outputGroups"][0]["outputs"][0]["preset"] = "System-Broadcast_Xdcam".into();
    assert_eq!(service.call("POST", "/jobs", job(&settings)).await.0, 404);
    settings["outputGroups"][0]["outputs"][0]["containerSettings"] = json!({ "container": "MP4" });
    settings["outputGroups"][0]["outputs"][0]["preset"] = "System-Avc_16x9_720p_29_97fps_5000kbps".into();
    let (status, error) = service.call("POST", "/jobs", job(&settings)).await;
    let expected = r#"/outputGroups/0/outputs/0: Should match exactly one schema defined in "oneOf""#;
    assert_eq!((status, &error["message"]), (400, &json!(expected)));
    let name = "System-Avc_16x9_720p_29_97fps_5000kbps";
    let (_, found) = service
        .call("GET", &format!("/presets/{name}"), Value::Null)
        .await;
    assert_eq!(
        (&found["preset"]["type"], &found["preset"]["name"]),
        (&json!("SYSTEM"), &json!(name))
    );
}

#[tokio::test]
async fn a_system_job_template_adds_nothing() {
    let service = TestService::start().await;
    let mut body = job(&testing::settings("s3://b/in.mp4", "s3://b/out/"));
    body["jobTemplate"] = "System-Ott_Hls_Ts_Avc_Aac".into();
    let (status, made) = service.call("POST", "/jobs", body.clone()).await;
    assert_eq!(status, 201, "{made}");
    assert_eq!(made["job"]["settings"], body["settings"]);
    assert_eq!(made["job"]["warnings"], json!([{ "code": 900_050, "count": 1 }]));
    body["settings"] = input();
    assert_eq!(service.call("POST", "/jobs", body).await.0, 404);
}

#[tokio::test]
async fn templates_and_presets_are_listed_changed_and_deleted() {
    let service = TestService::start().await;
    for (name, category) in [("b", "x"), ("a", "y"), ("c", "x")] {
        let create = json!({ "name": name, "category": category, "settings": preset() });
        assert_eq!(service.call("POST", "/presets", create.clone()).await.0, 201);
        service.pass(1);
        let (status, error) = service.call("POST", "/presets", create).await;
        assert_eq!((status, &error["error"]), (409, &json!("ConflictException")));
    }
    let names = async |query: &str| {
        let (status, page) = service
            .call("GET", &format!("/presets{query}"), Value::Null)
            .await;
        assert_eq!(status, 200, "{page}");
        let names = page["presets"]
            .as_array()
            .unwrap()
            .iter()
            .map(|preset| preset["name"].as_str().unwrap());
        (
            names.collect::<String>(),
            page["nextToken"].as_str().unwrap_or_default().to_owned(),
        )
    };
    assert_eq!(names("").await.0, "abc");
    assert_eq!(names("?listBy=CREATION_DATE&order=ASCENDING").await.0, "bac");
    assert_eq!(names("?category=x&order=DESCENDING").await.0, "cb");
    assert_eq!(names("?listBy=SYSTEM").await.0, "");
    let (first, next) = names("?maxResults=2").await;
    assert_eq!(
        (
            first.as_str(),
            names(&format!("?maxResults=2&nextToken={next}")).await.0.as_str()
        ),
        ("ab", "c")
    );
    for query in ["?listBy=SIZE", "?order=UP", "?maxResults=21", "?nextToken=!"] {
        assert_eq!(
            service
                .call("GET", &format!("/presets{query}"), Value::Null)
                .await
                .0,
            400,
            "{query}"
        );
    }

    let (status, changed) = service
        .call("PUT", "/presets/a", json!({ "description": "new" }))
        .await;
    assert_eq!(
        (
            status,
            &changed["preset"]["description"],
            &changed["preset"]["category"]
        ),
        (200, &json!("new"), &json!("y"))
    );
    assert!(changed["preset"]["lastUpdated"].as_i64() > changed["preset"]["createdAt"].as_i64());
    assert_eq!(service.call("PUT", "/presets/none", json!({})).await.0, 404);
    let (status, error) = service.call("PUT", "/presets/a", json!({ "settings": {} })).await;
    assert_eq!(
        (status, &error["message"]),
        (400, &json!("/: videoDescription is a required property"))
    );
    assert_eq!(service.call("DELETE", "/presets/a", Value::Null).await.0, 202);
    for method in ["GET", "DELETE"] {
        assert_eq!(service.call(method, "/presets/a", Value::Null).await.0, 404);
    }
}

#[tokio::test]
async fn what_is_too_large_or_too_many_is_refused() {
    let service = TestService::start().await;
    let long = json!({ "name": "x", "settings": preset(), "description": "d".repeat(200_000) });
    let mut tagged = json!({ "name": "x", "settings": preset(), "tags": {} });
    for number in 0..51 {
        tagged["tags"][number.to_string()] = "".into();
    }
    for body in [
        long,
        tagged,
        json!({ "name": "", "settings": preset() }),
        json!({ "name": "a".repeat(129), "settings": preset() }),
        json!({ "name": "arn:x", "settings": preset() }),
        json!({ "settings": preset() }),
        json!({ "name": "x" }),
        json!({ "name": "x", "settings": preset(), "colour": "red" }),
        json!([]),
    ] {
        let (status, error) = service.call("POST", "/presets", body.clone()).await;
        assert_eq!(status, 400, "{error} {body}");
    }
    for number in 0..9 {
        assert_eq!(
            service
                .call("POST", "/queues", json!({ "name": number.to_string() }))
                .await
                .0,
            201
        );
    }
    // The default queue counts as soon as it is stored.
    assert_eq!(
        service
            .call("PUT", "/queues/Default", json!({ "description": "d" }))
            .await
            .0,
        200
    );
    let (status, error) = service.call("POST", "/queues", json!({ "name": "more" })).await;
    assert_eq!(
        (status, &error["error"]),
        (402, &json!("ServiceQuotaExceededException"))
    );
}

#[tokio::test]
async fn queues_are_created_paused_and_deleted() {
    let service = TestService::start().await;
    let create = json!({ "name": "side", "description": "d", "concurrentJobs": 2 });
    let (status, made) = service.call("POST", "/queues", create).await;
    assert_eq!(status, 201, "{made}");
    for (member, value) in [
        ("status", "ACTIVE"),
        ("pricingPlan", "ON_DEMAND"),
        ("type", "CUSTOM"),
    ] {
        assert_eq!(made["queue"][member], value);
    }
    let mut body = job(&testing::settings("s3://b/in.mp4", "s3://b/out/"));
    body["queue"] = "side".into();
    let (_, job) = service.call("POST", "/jobs", body).await;
    assert_eq!(job["job"]["queue"], format!("{ACCOUNT}:queues/side"));
    let (_, list) = service.call("GET", "/queues", Value::Null).await;
    let counts = |queue: &Value| (queue["name"].clone(), queue["submittedJobsCount"].clone());
    let counts: Vec<_> = list["queues"].as_array().unwrap().iter().map(counts).collect();
    assert_eq!(counts, [(json!("Default"), json!(0)), (json!("side"), json!(1))]);

    for name in ["side", "Default"] {
        let (status, changed) = service
            .call("PUT", &format!("/queues/{name}"), json!({ "status": "PAUSED" }))
            .await;
        assert_eq!((status, &changed["queue"]["status"]), (200, &json!("PAUSED")));
    }
    for body in [
        json!({ "name": "r", "pricingPlan": "RESERVED" }),
        json!({ "name": "r", "reservationPlanSettings": { "commitment": "ONE_YEAR", "renewalType": "EXPIRE", "reservedSlots": 1 } }),
        json!({ "name": "r", "concurrentJobs": 0 }),
        json!({ "name": "r", "status": "STOPPED" }),
    ] {
        assert_eq!(
            service.call("POST", "/queues", body.clone()).await.0,
            400,
            "{body}"
        );
    }
    assert_eq!(
        service
            .call("POST", "/queues", json!({ "name": "Default" }))
            .await
            .0,
        409
    );
    assert_eq!(
        service.call("DELETE", "/queues/Default", Value::Null).await.0,
        400
    );
    assert_eq!(service.call("DELETE", "/queues/side", Value::Null).await.0, 409);
    let id = job["job"]["id"].as_str().unwrap();
    assert_eq!(
        service
            .call("DELETE", &format!("/jobs/{id}"), Value::Null)
            .await
            .0,
        202
    );
    assert_eq!(service.call("DELETE", "/queues/side", Value::Null).await.0, 202);
    assert_eq!(service.call("GET", "/queues/side", Value::Null).await.0, 404);
}

#[tokio::test]
async fn tags_of_all_kinds() {
    let service = TestService::start().await;
    service
        .call("POST", "/presets", json!({ "name": "a b", "settings": preset() }))
        .await;
    let mut body = job(&testing::settings("s3://b/in.mp4", "s3://b/out/"));
    body["tags"] = json!({ "x": "0" });
    let (_, made) = service.call("POST", "/jobs", body).await;
    let job = made["job"]["arn"].as_str().unwrap().to_owned();
    assert_eq!(made["job"]["tags"], Value::Null);
    for arn in [
        format!("{ACCOUNT}:presets/a b"),
        format!("{ACCOUNT}:queues/Default"),
        job.clone(),
    ] {
        let path = format!("/tags/{}", arn.replace('/', "%2F").replace(' ', "%20"));
        let add = json!({ "arn": arn, "tags": { "k": "v", "x": "1" } });
        assert_eq!(service.call("POST", "/tags", add).await, (200, json!({})));
        assert_eq!(
            service
                .call("PUT", &path, json!({ "tagKeys": ["x", "none"] }))
                .await,
            (200, json!({}))
        );
        let (_, found) = service.call("GET", &path, Value::Null).await;
        assert_eq!(
            found,
            json!({ "resourceTags": { "arn": arn, "tags": { "k": "v" } } })
        );
    }
    for (arn, status) in [
        (format!("{ACCOUNT}:presets/none"), 404),
        (format!("{ACCOUNT}:jobs/1-none"), 404),
        ("x".to_owned(), 400),
    ] {
        let add = json!({ "arn": arn, "tags": { "k": "v" } });
        assert_eq!(service.call("POST", "/tags", add).await.0, status, "{arn}");
    }
    let many: serde_json::Map<String, Value> = (0..50).map(|n| (n.to_string(), "".into())).collect();
    assert_eq!(
        service
            .call("POST", "/tags", json!({ "arn": job, "tags": many }))
            .await
            .0,
        400
    );
}

#[tokio::test]
async fn jobs_are_found_by_what_is_in_them() {
    let service = TestService::start().await;
    for number in 0..3 {
        let settings = testing::settings(&format!("s3://b/{number}.mp4"), "s3://b/out/");
        service.call("POST", "/jobs", job(&settings)).await;
    }
    let mut old = job(&testing::settings("s3://b/3.mp4", "s3://b/out/"));
    old["jobEngineVersion"] = "2020-01-01".into();
    let (_, made) = service.call("POST", "/jobs", old).await;
    assert_eq!(made["job"]["jobEngineVersionUsed"], crate::ENGINE_VERSION);
    let found = async |query: Value| {
        let (status, started) = service.call("POST", "/jobsQueries", query).await;
        assert_eq!(status, 201, "{started}");
        let id = started["id"].as_str().unwrap();
        let (_, results) = service
            .call("GET", &format!("/jobsQueries/{id}"), Value::Null)
            .await;
        assert_eq!(results["status"], "COMPLETE");
        let inputs = results["jobs"].as_array().unwrap().iter();
        let inputs =
            inputs.map(|job| job["settings"]["inputs"][0]["fileInput"].as_str().unwrap()[7..8].to_owned());
        (inputs.collect::<String>(), results["nextToken"].clone())
    };
    let filter = json!([{ "key": "fileInput", "values": ["b/1", "b/2"] }]);
    assert_eq!(
        found(json!({ "filterList": filter })).await,
        ("21".to_owned(), Value::Null)
    );
    let (first, next) = found(json!({ "order": "ASCENDING", "maxResults": 2 })).await;
    assert_eq!(first, "01");
    assert_eq!(
        found(json!({ "order": "ASCENDING", "nextToken": next })).await.0,
        "23"
    );
    let old = json!([{ "key": "jobEngineVersionRequested", "values": ["2020-01-01"] }]);
    assert_eq!(found(json!({ "filterList": old })).await.0, "3");
    assert_eq!(
        found(json!({ "filterList": [{ "key": "videoCodec", "values": ["AV1"] }] }))
            .await
            .0,
        ""
    );
    for query in [
        json!({ "filterList": [{ "key": "colour" }] }),
        json!({ "nextToken": "!" }),
        json!({ "maxResults": 21 }),
    ] {
        assert_eq!(
            service.call("POST", "/jobsQueries", query.clone()).await.0,
            400,
            "{query}"
        );
    }
    assert_eq!(service.call("GET", "/jobsQueries/none", Value::Null).await.0, 404);
}

#[tokio::test]
async fn an_input_that_the_policy_does_not_allow_ends_its_job() {
    let service = TestService::start().await;
    let create = async || {
        let settings = testing::settings("s3://b/in.mp4", "s3://b/out/");
        let (status, made) = service.call("POST", "/jobs", job(&settings)).await;
        assert_eq!(status, 201);
        (made["job"]["status"].clone(), made["job"]["errorCode"].clone())
    };
    let (_, policy) = service.call("GET", "/policy", Value::Null).await;
    assert_eq!(policy["policy"]["s3Inputs"], "ALLOWED");
    assert_eq!(create().await.0, "SUBMITTED");
    let put = json!({ "policy": { "s3Inputs": "DISALLOWED" } });
    let (_, policy) = service.call("PUT", "/policy", put).await;
    assert_eq!(
        policy["policy"],
        json!({ "s3Inputs": "DISALLOWED", "httpInputs": "ALLOWED", "httpsInputs": "ALLOWED" })
    );
    assert_eq!(create().await, (json!("ERROR"), json!(3457)));
    assert_eq!(service.engine.events().len(), 1);
    assert_eq!(service.call("DELETE", "/policy", Value::Null).await.0, 200);
    assert_eq!(create().await.0, "SUBMITTED");
    let refused = json!({ "policy": { "s3Inputs": "MAYBE" } });
    assert_eq!(service.call("PUT", "/policy", refused).await.0, 400);
    let (_, versions) = service.call("GET", "/versions", Value::Null).await;
    assert_eq!(versions["versions"][0]["version"], crate::ENGINE_VERSION);
}
