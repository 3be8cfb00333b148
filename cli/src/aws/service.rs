//! The services that are called without an SDK crate, and their protocols.

/// A service of AWS.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Service {
    /// Its name in messages and in the names of variables (`AWS_ENDPOINT_URL_<ID>`).
    pub(crate) id: &'static str,
    /// Its name in addresses, signatures and permissions.
    pub(crate) name: &'static str,
    pub(crate) protocol: Protocol,
}

/// The encoding of operations (Smithy: `awsQuery`, `awsJson1_x`, `restJson1`).
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

const fn json(version: &'static str, target: &'static str) -> Protocol {
    Protocol::Json { version, target }
}

pub(crate) const CLOUDFORMATION: Service = Service {
    id: "CloudFormation",
    name: "cloudformation",
    protocol: Protocol::Query {
        version: "2010-05-15",
    },
};
pub(crate) const LAMBDA: Service = Service {
    id: "Lambda",
    name: "lambda",
    protocol: Protocol::Rest,
};
pub(crate) const SECRETS_MANAGER: Service = Service {
    id: "Secrets Manager",
    name: "secretsmanager",
    protocol: json("1.1", "secretsmanager"),
};
pub(crate) const SQS: Service = Service {
    id: "SQS",
    name: "sqs",
    protocol: json("1.0", "AmazonSQS"),
};
