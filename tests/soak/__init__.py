"""A soak of hours: a deployment under steady load whose processes are killed by turns, watched for growth."""
