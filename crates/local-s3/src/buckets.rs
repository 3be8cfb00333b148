//! Buckets.

use s3s::dto::{
    Bucket, BucketLocationConstraint, CreateBucketInput, CreateBucketOutput, DeleteBucketInput,
    DeleteBucketOutput, GetBucketLocationInput, GetBucketLocationOutput, GetBucketVersioningInput,
    GetBucketVersioningOutput, GetObjectTaggingInput, GetObjectTaggingOutput, HeadBucketInput,
    HeadBucketOutput, ListBucketsInput, ListBucketsOutput, Owner,
};
use s3s::{S3Request, S3Response, s3_error};

use super::OWNER_ID;
use super::error::{OperationError, no_acls, not_implemented};
use super::index;
use super::parts::{drop_upload, uploads};
use super::request::{Answer, check_version, timestamp};
use super::store::Store;

/// The region whose buckets have no location constraint, and where creating twice is no error.
const US_EAST_1: &str = "us-east-1";

/// All buckets belong to the one account.
pub(super) fn owner() -> Owner {
    Owner {
        id: Some(OWNER_ID.to_owned()),
        ..Owner::default()
    }
}

pub(super) async fn create(
    store: &Store,
    request: S3Request<CreateBucketInput>,
) -> Answer<CreateBucketOutput> {
    let input = request.input;
    if input.object_lock_enabled_for_bucket == Some(true) {
        return Err(not_implemented("object lock"));
    }
    if input.acl.as_ref().is_some_and(|acl| acl.as_str() != "private") {
        return Err(no_acls());
    }
    let location = format!("/{}", input.bucket);
    let is_new = ensure(store, input.bucket).await?;
    if !is_new && *store.region != *US_EAST_1 {
        let text = "Your previous request to create the named bucket succeeded and you already own it.";
        return Err(s3_error!(BucketAlreadyOwnedByYou, "{text}").into());
    }
    Ok(S3Response::new(CreateBucketOutput {
        location: Some(location),
    }))
}

/// Makes sure that the bucket exists. True when it did not.
pub(super) async fn ensure(store: &Store, name: String) -> Result<bool, OperationError> {
    let now = store.now().as_millisecond();
    store
        .write(move |transaction, _| {
            let sql = "INSERT OR IGNORE INTO s3_bucket (name, created_ms) VALUES (?1, ?2)";
            Ok(transaction.execute(sql, rusqlite::params![name, now])? == 1)
        })
        .await
}

pub(super) async fn head(store: &Store, request: S3Request<HeadBucketInput>) -> Answer<HeadBucketOutput> {
    require(store, request.input.bucket).await?;
    let region = store.region.to_string();
    Ok(S3Response::new(HeadBucketOutput {
        bucket_region: Some(region),
        ..HeadBucketOutput::default()
    }))
}

async fn require(store: &Store, bucket: String) -> Result<(), OperationError> {
    store
        .read(move |connection| index::require_bucket(connection, &bucket))
        .await
}

pub(super) async fn list(store: &Store, _: S3Request<ListBucketsInput>) -> Answer<ListBucketsOutput> {
    let buckets = store
        .read(|connection| {
            let mut statement = connection.prepare("SELECT name, created_ms FROM s3_bucket ORDER BY name")?;
            let rows = statement.query_map([], |row| {
                Ok(Bucket {
                    name: Some(row.get(0)?),
                    creation_date: Some(timestamp(row.get(1)?)),
                    bucket_region: None,
                })
            })?;
            Ok(rows.collect::<rusqlite::Result<Vec<_>>>()?)
        })
        .await?;
    Ok(S3Response::new(ListBucketsOutput {
        buckets: Some(buckets),
        owner: Some(owner()),
        ..ListBucketsOutput::default()
    }))
}

pub(super) async fn delete(
    store: &Store,
    request: S3Request<DeleteBucketInput>,
) -> Answer<DeleteBucketOutput> {
    let bucket = request.input.bucket;
    store
        .write(move |transaction, after| {
            index::require_bucket(transaction, &bucket)?;
            if transaction
                .prepare("SELECT 1 FROM s3_object WHERE bucket = ?1 LIMIT 1")?
                .exists([&bucket])?
            {
                let text = "The bucket you tried to delete is not empty";
                return Err(s3_error!(BucketNotEmpty, "{text}").into());
            }
            for upload in uploads(transaction, &bucket)? {
                drop_upload(transaction, after, &upload.id)?;
            }
            transaction.execute("DELETE FROM s3_bucket WHERE name = ?1", [&bucket])?;
            Ok(())
        })
        .await?;
    Ok(S3Response::new(DeleteBucketOutput {}))
}

pub(super) async fn location(
    store: &Store,
    request: S3Request<GetBucketLocationInput>,
) -> Answer<GetBucketLocationOutput> {
    require(store, request.input.bucket).await?;
    let constraint =
        (*store.region != *US_EAST_1).then(|| BucketLocationConstraint::from(store.region.to_string()));
    Ok(S3Response::new(GetBucketLocationOutput {
        location_constraint: constraint,
    }))
}

/// The truth about every bucket here: versioning was never turned on.
pub(super) async fn versioning(
    store: &Store,
    request: S3Request<GetBucketVersioningInput>,
) -> Answer<GetBucketVersioningOutput> {
    require(store, request.input.bucket).await?;
    Ok(S3Response::new(GetBucketVersioningOutput::default()))
}

/// The truth about every object here: it has no tags, because giving it some is refused.
pub(super) async fn tagging(
    store: &Store,
    request: S3Request<GetObjectTaggingInput>,
) -> Answer<GetObjectTaggingOutput> {
    let input = request.input;
    check_version(input.version_id.as_deref())?;
    store
        .read(move |connection| index::get_object(connection, &input.bucket, &input.key))
        .await?;
    Ok(S3Response::new(GetObjectTaggingOutput {
        tag_set: Vec::new(),
        version_id: None,
    }))
}
