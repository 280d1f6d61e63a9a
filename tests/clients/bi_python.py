"""Reads Touchline's views as docs/connect.md shows, as the analyst: prints one JSON object with what each way found."""

import json
import os
import sys

import clickhouse_connect
import pandas as pd
import sqlalchemy

HOST, PORT, HTTP_PORT, USER, PASSWORD, DATABASE = (
    os.environ[name] for name in ("HOST", "PORT", "HTTP_PORT", "ANALYST", "PASSWORD", "DATABASE")
)
QUESTION = (
    "SELECT owner, sum(friction) AS friction FROM friction_by_owner(tenant = 'default', since = '2026-01-01',"
    " until = '2027-01-01') GROUP BY owner ORDER BY owner"
)


def connect_client():
    client = clickhouse_connect.get_client(
        host=HOST, port=int(HTTP_PORT), username=USER, password=PASSWORD, database=DATABASE
    )
    rows = client.query(QUESTION).result_rows
    bound = client.query(
        "SELECT count() FROM touchpoints_current WHERE tenant = {tenant:String}",
        parameters={"tenant": "default"},
    ).result_rows
    frame = client.query_df("SELECT type, occurred_at FROM touchpoints_current")
    try:
        client.query("SELECT * FROM url('http://127.0.0.1:1', 'CSV', 'a String')")
        refused = False
    except clickhouse_connect.driver.exceptions.DatabaseError as error:
        refused = "Not enough privileges" in str(error)
    return {"rows": rows, "bound": bound[0][0], "columns": list(frame.columns), "refused": refused}


def through_sqlalchemy(url: str):
    engine = sqlalchemy.create_engine(url)
    with engine.connect() as connection:
        rows = [tuple(row) for row in connection.execute(sqlalchemy.text(QUESTION))]
        frame = pd.read_sql(sqlalchemy.text("SELECT type, channel FROM touchpoints_current"), connection)
    inspector = sqlalchemy.inspect(engine)
    views = {*inspector.get_table_names(), *inspector.get_view_names()}
    columns = [column["name"] for column in inspector.get_columns("journeys")]
    return {"rows": rows, "frame": len(frame), "journeys": "journeys" in views, "stage": "stage" in columns}


def main() -> None:
    server = f"{USER}:{PASSWORD}@{HOST}"
    found = {
        "clickhouse-connect": connect_client(),
        "clickhousedb": through_sqlalchemy(f"clickhousedb://{server}:{HTTP_PORT}/{DATABASE}"),
        "clickhouse+http": through_sqlalchemy(f"clickhouse+http://{server}:{HTTP_PORT}/{DATABASE}"),
        "clickhouse+native": through_sqlalchemy(f"clickhouse+native://{server}:{PORT}/{DATABASE}"),
    }
    json.dump(found, sys.stdout)


main()
