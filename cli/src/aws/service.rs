//! The services that are called without an SDK crate: how each is spoken to, and where it is.

/// A service of AWS.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Service {
    /// Its name for people and in the names of variables (`AWS_ENDPOINT_URL_<ID>`).
    pub(crate) id: &'static str,
    /// In the scope of a signature.
    signing: &'static str,
    /// The first part of its host's name.
    host: &'static str,
    /// What the names of its permissions begin with.
    pub(crate) prefix: &'static str,
    pub(crate) protocol: Protocol,
    /// One for all regions of a partition.
    is_global: bool,
}

/// How operations cross the wire (Smithy's names: `awsQuery`, `awsJson1_x`, `restJson1`).
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Query {
        version: &'static str,
    },
    Json {
        version: &'static str,
        target: &'static str,
    },
    Rest,
}

impl Service {
    const fn new(id: &'static str, name: &'static str, protocol: Protocol) -> Self {
        Self {
            id,
            signing: name,
            host: name,
            prefix: name,
            protocol,
            is_global: false,
        }
    }

    /// The region that requests are signed for.
    pub(crate) fn signing_region<'a>(&self, region: &'a str) -> &'a str {
        match Partition::of(region) {
            _ if !self.is_global => region,
            Partition::Aws => "us-east-1",
            Partition::China => "cn-north-1",
            Partition::Gov => "us-gov-west-1",
        }
    }

    pub(crate) fn signing_name(&self) -> &'static str {
        self.signing
    }

    /// The public endpoint (AWS General Reference, service endpoints).
    pub(crate) fn endpoint(&self, region: &str) -> String {
        let host = self.host;
        match Partition::of(region) {
            Partition::China if self.is_global => format!("https://{host}.cn-north-1.amazonaws.com.cn"),
            Partition::China => format!("https://{host}.{region}.amazonaws.com.cn"),
            Partition::Gov if self.is_global => format!("https://{host}.us-gov.amazonaws.com"),
            Partition::Aws if self.is_global => format!("https://{host}.amazonaws.com"),
            Partition::Aws | Partition::Gov => format!("https://{host}.{region}.amazonaws.com"),
        }
    }
}

enum Partition {
    Aws,
    China,
    Gov,
}

impl Partition {
    fn of(region: &str) -> Self {
        match region {
            _ if region.starts_with("cn-") => Self::China,
            _ if region.starts_with("us-gov-") => Self::Gov,
            _ => Self::Aws,
        }
    }
}

const fn json(version: &'static str, target: &'static str) -> Protocol {
    Protocol::Json { version, target }
}

pub(crate) const CLOUDFORMATION: Service = Service::new(
    "CloudFormation",
    "cloudformation",
    Protocol::Query {
        version: "2010-05-15",
    },
);
pub(crate) const CLOUDWATCH: Service = Service {
    prefix: "cloudwatch",
    ..Service::new(
        "CloudWatch",
        "monitoring",
        Protocol::Query {
            version: "2010-08-01",
        },
    )
};
pub(crate) const EVENTBRIDGE: Service = Service::new("EventBridge", "events", json("1.1", "AWSEvents"));
pub(crate) const IAM: Service = Service {
    is_global: true,
    ..Service::new(
        "IAM",
        "iam",
        Protocol::Query {
            version: "2010-05-08",
        },
    )
};
pub(crate) const LAMBDA: Service = Service::new("Lambda", "lambda", Protocol::Rest);
pub(crate) const MEDIACONVERT: Service = Service::new("MediaConvert", "mediaconvert", Protocol::Rest);
pub(crate) const SECRETS_MANAGER: Service =
    Service::new("Secrets Manager", "secretsmanager", json("1.1", "secretsmanager"));
pub(crate) const SQS: Service = Service::new("SQS", "sqs", json("1.0", "AmazonSQS"));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_by_partition() {
        for (service, region, endpoint, signed_for) in [
            (
                SQS,
                "eu-west-1",
                "https://sqs.eu-west-1.amazonaws.com",
                "eu-west-1",
            ),
            (
                SQS,
                "cn-north-1",
                "https://sqs.cn-north-1.amazonaws.com.cn",
                "cn-north-1",
            ),
            (
                CLOUDWATCH,
                "us-gov-east-1",
                "https://monitoring.us-gov-east-1.amazonaws.com",
                "us-gov-east-1",
            ),
            (IAM, "eu-west-1", "https://iam.amazonaws.com", "us-east-1"),
            (
                IAM,
                "cn-northwest-1",
                "https://iam.cn-north-1.amazonaws.com.cn",
                "cn-north-1",
            ),
            (
                IAM,
                "us-gov-east-1",
                "https://iam.us-gov.amazonaws.com",
                "us-gov-west-1",
            ),
        ] {
            assert_eq!(service.endpoint(region), endpoint);
            assert_eq!(service.signing_region(region), signed_for);
        }
    }
}
