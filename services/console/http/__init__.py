"""What is served beside the pages: the content policy, downloads, and pages that stand by themselves."""
