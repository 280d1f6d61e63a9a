-- A receipt says what it waits for, whose rows it deletes, and when the files of deleted rows were gone from the disk.

ALTER TABLE erasure_receipts
    ADD COLUMN IF NOT EXISTS waits_for String COMMENT 'What it waits for, for people: a process and the records before it; empty once it is done',
    ADD COLUMN IF NOT EXISTS account_ids Array(String) COMMENT 'Accounts that the profiles may have belonged to',
    ADD COLUMN IF NOT EXISTS off_disk_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When the files of the deleted rows were seen to be gone; NULL before';

ALTER TABLE erasure_receipts COMMENT COLUMN done '0: accepted, the views hide the person; 1: every process has answered, and every version of the rows is deleted';
