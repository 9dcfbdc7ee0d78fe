"""What do reviewers, payouts and applicants bear at each cut?"""
