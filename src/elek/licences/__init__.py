"""What a licence says: SPDX expressions, categories, policies, obligations, and evidence inside documents."""
