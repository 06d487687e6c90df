"""What tests share: a system a test, its servers, adapters in memory."""
