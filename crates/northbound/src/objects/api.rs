//! The operations that are offered. The S3 service has read the request; each operation is a line here and a body in the
//! room of its noun. What is missing here is answered with `NotImplemented`.

use std::sync::Arc;

use async_trait::async_trait;
use otaru_core::app::{App, Caller, Error};
use s3s::dto::*;
use s3s::{S3, S3Error, S3Request, S3Response, S3Result};

use super::{Settings, buckets, copying, error, listing, parts, reading, uploads, writing};

/// One request's view of the app: who asks, and under which id it is found in the log.
#[derive(Clone)]
pub struct Api {
    pub app: App,
    pub caller: Caller,
    pub settings: Arc<Settings>,
    request_id: String,
}

impl Api {
    pub fn new(app: App, caller: Caller, settings: Arc<Settings>, request_id: String) -> Api {
        Api { app, caller, settings, request_id }
    }

    /// Spells an error of the app for the client.
    pub fn refuse(&self, error: Error) -> S3Error {
        error::answer(error, &self.request_id)
    }

    /// Every bucket, object and upload belongs to the tenant.
    pub fn owner(&self) -> Owner {
        let id = self.caller.tenant.to_string();
        Owner { id: Some(id.clone()), display_name: Some(id) }
    }
}

/// An operation of S3 and the function that has its body.
macro_rules! operations {
    ($($name:ident: $input:ty => $output:ty, $body:path;)*) => {
        #[async_trait]
        impl S3 for Api {
            $(
                async fn $name(&self, request: S3Request<$input>) -> S3Result<S3Response<$output>> {
                    $body(self, request).await
                }
            )*
        }
    };
}

operations! {
    list_buckets: ListBucketsInput => ListBucketsOutput, buckets::list;
    create_bucket: CreateBucketInput => CreateBucketOutput, buckets::create;
    head_bucket: HeadBucketInput => HeadBucketOutput, buckets::head;
    delete_bucket: DeleteBucketInput => DeleteBucketOutput, buckets::delete;
    get_bucket_location: GetBucketLocationInput => GetBucketLocationOutput, buckets::location;
    get_bucket_versioning: GetBucketVersioningInput => GetBucketVersioningOutput, buckets::versioning;

    list_objects: ListObjectsInput => ListObjectsOutput, listing::list;
    list_objects_v2: ListObjectsV2Input => ListObjectsV2Output, listing::list_v2;
    list_object_versions: ListObjectVersionsInput => ListObjectVersionsOutput, listing::list_versions;

    head_object: HeadObjectInput => HeadObjectOutput, reading::head;
    get_object: GetObjectInput => GetObjectOutput, reading::get;
    put_object: PutObjectInput => PutObjectOutput, writing::put;
    delete_object: DeleteObjectInput => DeleteObjectOutput, writing::delete;
    delete_objects: DeleteObjectsInput => DeleteObjectsOutput, writing::delete_many;
    copy_object: CopyObjectInput => CopyObjectOutput, copying::copy;

    create_multipart_upload: CreateMultipartUploadInput => CreateMultipartUploadOutput, uploads::create;
    list_multipart_uploads: ListMultipartUploadsInput => ListMultipartUploadsOutput, uploads::list;
    complete_multipart_upload: CompleteMultipartUploadInput => CompleteMultipartUploadOutput, uploads::complete;
    abort_multipart_upload: AbortMultipartUploadInput => AbortMultipartUploadOutput, uploads::abort;
    upload_part: UploadPartInput => UploadPartOutput, parts::upload;
    upload_part_copy: UploadPartCopyInput => UploadPartCopyOutput, copying::copy_part;
    list_parts: ListPartsInput => ListPartsOutput, parts::list;
}
