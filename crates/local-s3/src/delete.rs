//! DELETE of one object and of many.

use rusqlite::Transaction;
use s3s::dto::{
    Delete, DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput, DeleteObjectsOutput, DeletedObject,
    ETagCondition, Error, ObjectIdentifier,
};
use s3s::{S3Request, S3Response};

use super::conditions::WriteCondition;
use super::error::{OperationError, malformed_xml, not_implemented};
use super::index;
use super::request::{Answer, check_version};
use super::store::{Aftermath, Store};

/// The most keys in one `DeleteObjects`.
const MAX_DELETES: usize = 1000;

pub(super) async fn delete(
    store: &Store,
    request: S3Request<DeleteObjectInput>,
) -> Answer<DeleteObjectOutput> {
    let input = request.input;
    check_version(input.version_id.as_deref())?;
    if input.if_match_size.is_some() || input.if_match_last_modified_time.is_some() {
        return Err(not_implemented("a delete conditional on size or time"));
    }
    let condition = WriteCondition::new(input.if_match, None)?;
    store
        .write_delete(move |transaction, after| {
            remove(transaction, after, &input.bucket, &input.key, &condition)
        })
        .await?;
    Ok(S3Response::new(DeleteObjectOutput::default()))
}

pub(super) async fn delete_many(
    store: &Store,
    request: S3Request<DeleteObjectsInput>,
) -> Answer<DeleteObjectsOutput> {
    let bucket = request.input.bucket;
    let Delete { objects, quiet } = request.input.delete;
    if objects.is_empty() || objects.len() > MAX_DELETES {
        return Err(malformed_xml());
    }
    let (deleted, errors) = store
        .write_delete(move |transaction, after| {
            let (mut deleted, mut errors) = (Vec::new(), Vec::new());
            index::require_bucket(transaction, &bucket)?;
            for wanted in &objects {
                let key = Some(wanted.key.clone());
                match remove_one(transaction, after, &bucket, wanted) {
                    Ok(()) => deleted.push(DeletedObject {
                        key,
                        ..DeletedObject::default()
                    }),
                    Err(OperationError::Refused(error)) => errors.push(Error {
                        code: Some(error.code().as_str().to_owned()),
                        key,
                        message: error.message().map(str::to_owned),
                        version_id: None,
                    }),
                    Err(error) => return Err(error),
                }
            }
            Ok((deleted, errors))
        })
        .await?;
    Ok(S3Response::new(DeleteObjectsOutput {
        deleted: (quiet != Some(true)).then_some(deleted),
        errors: (!errors.is_empty()).then_some(errors),
        request_charged: None,
    }))
}

/// Removes the object of one entry.
fn remove_one(
    transaction: &Transaction<'_>,
    after: &mut Aftermath,
    bucket: &str,
    wanted: &ObjectIdentifier,
) -> Result<(), OperationError> {
    check_version(wanted.version_id.as_deref())?;
    let if_match = wanted.e_tag.clone().map(ETagCondition::ETag);
    let condition = WriteCondition::new(if_match, None)?;
    remove(transaction, after, bucket, &wanted.key, &condition)
}

/// Removes an object under a condition. S3 counts one that does not exist as deleted.
fn remove(
    transaction: &Transaction<'_>,
    after: &mut Aftermath,
    bucket: &str,
    key: &str,
    condition: &WriteCondition,
) -> Result<(), OperationError> {
    index::require_bucket(transaction, bucket)?;
    let object = index::find_object(transaction, bucket, key)?;
    condition.check(object.as_ref().map(|object| object.etag.as_str()))?;
    if let Some(object) = object {
        index::delete_object(transaction, after, bucket, &object)?;
    }
    Ok(())
}
