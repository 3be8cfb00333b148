//! DELETE of one object and of many.

use s3s::dto::{
    Delete, DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput, DeleteObjectsOutput, DeletedObject,
    Error, ObjectIdentifier,
};
use s3s::{S3Error, S3Request, S3Response, s3_error};

use super::conditions::WriteCondition;
use super::error::{OperationError, not_implemented};
use super::index::{self, Object};
use super::request::{Answer, check_owner, check_version};
use super::store::Store;

/// The most keys in one `DeleteObjects`.
const MAX_DELETES: usize = 1000;

pub(super) async fn delete(
    store: &Store,
    request: S3Request<DeleteObjectInput>,
) -> Answer<DeleteObjectOutput> {
    let input = request.input;
    check_owner(input.expected_bucket_owner.as_deref())?;
    check_version(input.version_id.as_deref())?;
    if input.if_match_size.is_some() || input.if_match_last_modified_time.is_some() {
        return Err(not_implemented("a delete conditional on size or time"));
    }
    let condition = WriteCondition::new(input.if_match, None)?;
    let (bucket, key) = (input.bucket, input.key);
    store
        .write_delete(move |transaction, after| {
            index::require_bucket(transaction, &bucket)?;
            let object = index::find_object(transaction, &bucket, &key)?;
            condition.check(object.as_ref().map(|object| object.etag.as_str()))?;
            if let Some(object) = object {
                after
                    .dropped
                    .extend(index::delete_object(transaction, &bucket, &object)?);
            }
            Ok(())
        })
        .await?;
    Ok(S3Response::new(DeleteObjectOutput::default()))
}

pub(super) async fn delete_many(
    store: &Store,
    request: S3Request<DeleteObjectsInput>,
) -> Answer<DeleteObjectsOutput> {
    let DeleteObjectsInput {
        bucket,
        delete,
        expected_bucket_owner,
        ..
    } = request.input;
    check_owner(expected_bucket_owner.as_deref())?;
    let Delete { objects, quiet } = delete;
    if objects.is_empty() || objects.len() > MAX_DELETES {
        let text =
            "The XML you provided was not well-formed or did not validate against our published schema";
        return Err(s3_error!(MalformedXML, "{text}").into());
    }
    let (mut deleted, mut errors) = (Vec::new(), Vec::new());
    let results = store
        .write_delete(move |transaction, after| {
            index::require_bucket(transaction, &bucket)?;
            let mut results = Vec::with_capacity(objects.len());
            for wanted in &objects {
                let removable = find_deletable(transaction, &bucket, wanted);
                let refused = match removable {
                    Ok(Some(object)) => {
                        after
                            .dropped
                            .extend(index::delete_object(transaction, &bucket, &object)?);
                        None
                    }
                    Ok(None) => None,
                    Err(OperationError::Refused(error)) => Some(error),
                    Err(error) => return Err(error),
                };
                results.push((wanted.key.clone(), refused));
            }
            Ok(results)
        })
        .await?;
    for (key, refused) in results {
        match refused {
            Some(error) => errors.push(error_entry(key, &error)),
            None => deleted.push(DeletedObject {
                key: Some(key),
                ..DeletedObject::default()
            }),
        }
    }
    let deleted = if quiet == Some(true) { None } else { Some(deleted) };
    let errors = (!errors.is_empty()).then_some(errors);
    Ok(S3Response::new(DeleteObjectsOutput {
        deleted,
        errors,
        request_charged: None,
    }))
}

/// The object of one entry; None when there is none, which S3 counts as deleted.
fn find_deletable(
    transaction: &rusqlite::Transaction<'_>,
    bucket: &str,
    wanted: &ObjectIdentifier,
) -> Result<Option<Object>, OperationError> {
    check_version(wanted.version_id.as_deref())?;
    let if_match = wanted.e_tag.clone().map(s3s::dto::ETagCondition::ETag);
    let object = index::find_object(transaction, bucket, &wanted.key)?;
    WriteCondition::new(if_match, None)?.check(object.as_ref().map(|object| object.etag.as_str()))?;
    Ok(object)
}

fn error_entry(key: String, error: &S3Error) -> Error {
    Error {
        code: Some(error.code().as_str().to_owned()),
        key: Some(key),
        message: error.message().map(str::to_owned),
        version_id: None,
    }
}
