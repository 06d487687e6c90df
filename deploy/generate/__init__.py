"""The files that are made from the code: AsyncAPI, OpenAPI, the event table, the settings reference, the topology."""
