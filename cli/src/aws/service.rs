//! The services that are called without an SDK crate.

/// A service of AWS.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Service {
    /// Its name in messages and in the names of variables (`AWS_ENDPOINT_URL_<ID>`).
    pub(crate) id: &'static str,
    /// Its name in addresses, signatures and permissions.
    pub(crate) name: &'static str,
    /// The version of its API: of the protocol `awsJson`, or of the parameters in `awsQuery`.
    pub(crate) version: &'static str,
    /// The prefix of `x-amz-target`. Empty where operations are not named by it.
    pub(crate) target: &'static str,
}

pub(crate) const CLOUDFORMATION: Service = Service {
    id: "CloudFormation",
    name: "cloudformation",
    version: "2010-05-15",
    target: "",
};
pub(crate) const CLOUDFRONT: Service = Service {
    id: "CloudFront",
    name: "cloudfront",
    version: "2020-05-31",
    target: "",
};
pub(crate) const LAMBDA: Service = Service {
    id: "Lambda",
    name: "lambda",
    version: "",
    target: "",
};
pub(crate) const SECRETS_MANAGER: Service = Service {
    id: "Secrets Manager",
    name: "secretsmanager",
    version: "1.1",
    target: "secretsmanager",
};
pub(crate) const SQS: Service = Service {
    id: "SQS",
    name: "sqs",
    version: "1.0",
    target: "AmazonSQS",
};
