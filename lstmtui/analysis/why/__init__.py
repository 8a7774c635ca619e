"""Why a number is what it is: every value as a sum or a product of parts that can be asked about in turn."""
