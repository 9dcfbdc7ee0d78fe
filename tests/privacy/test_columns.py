"""Which columns are somebody's, and which cells under them are values?"""

from __future__ import annotations

import pytest

import riskbench as rb
from riskbench.privacy import is_value, personal_columns, personal_kind

PERSONAL = """
buyer_id buyer customer_id email e-mail E_Mail customer_email phone phone_number msisdn whatsapp ip ip_address client_ip
clientIP device device_id deviceId imei mac_address card card_number pan instrument_id iban bank_account_id account_id
passport_number nik cpf document_id national_id tax_id address address_id shipping_address face_id owner_id user_id
full_name recipient_name device_fingerprint advertising_id
""".split()
NOT_PERSONAL = """
order_id id seller_id shop_id merchant_id creator_id agency_id seller_email event rule status owner value amount
device_age_days buyer_orders buyer_age_days ip_city_match devices buyers cards card_share email_verified phones
fingerprint document document_quality face_match payment_method city region address_count title name n hits
precision lower card_present tipping ship pand trip
""".split()


@pytest.mark.parametrize("name", PERSONAL)
def test_a_name_that_means_somebody(name):
    assert personal_kind(name) is not None
    assert personal_kind(name.upper().replace("ID", "_ID") if "Id" in name else name.replace("_", " ")) is not None


@pytest.mark.parametrize("name", NOT_PERSONAL)
def test_a_name_that_does_not(name):
    assert personal_kind(name) is None


@pytest.mark.parametrize("domain", ["transactions", "kyc", "onboarding", "affiliation"])
def test_the_samples_buyers_and_devices_are_personal_and_its_partners_are_not(domain):
    roles = rb.sample(domain, orders=2_000).roles
    held = personal_columns(roles.entities)
    assert {"device_id", "ip"} <= set(held)
    assert not {"seller_id", "creator_id", "agency_id", roles.id} & set(held)
    assert set(held) | {"seller_id", "creator_id", "agency_id"} >= set(roles.entities)


@pytest.mark.parametrize("text", ["", "–", "yes", "No", "nan", "(card number hidden)", "DVV…B1", "device-0a1b2c3d"])
def test_what_is_no_value_stays(text):
    assert not is_value(text, "device_id")


def test_a_count_under_a_bare_name_stays_and_a_number_that_is_an_id_does_not():
    assert not is_value("1,234", "device")
    assert not is_value("12.5 %", "card")
    assert is_value("1234567", "buyer_id")
    assert is_value("203.0.113.77", "ip")
