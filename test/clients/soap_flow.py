"""zeep: a SOAP client that knows nothing but the WSDL at the endpoint and WS-Security; signs with an X.509 certificate."""

import datetime
import os
import subprocess
import sys

from requests import Session
from zeep import Client
from zeep.exceptions import Fault
from zeep.transports import Transport
from zeep.wsse.signature import BinarySignature
from zeep.wsse.utils import WSU, get_security_header

from flow import CA, HOST, PORT, TLS, step, until

url = f"{'https' if TLS else 'http'}://{HOST}:{PORT}/services/Eucalyptus"
folder = os.environ["MALLEE_FOLDER"]
certificate, key = f"{folder}/soap-cert.pem", f"{folder}/soap-key.pem"
subprocess.run([*os.environ["MALLEE_NODE"].split(" "), os.environ["MALLEE_CREATE_CERTIFICATE"], certificate, key], check=True)


class Signed(BinarySignature):
    """zeep signs the Timestamp that is there: five minutes from now, as every client of the time did."""

    def apply(self, envelope, headers):
        now = datetime.datetime.utcnow().replace(microsecond=0)
        stamp = WSU.Timestamp()
        stamp.append(WSU.Created(f"{now.isoformat()}Z"))
        stamp.append(WSU.Expires(f"{(now + datetime.timedelta(minutes=5)).isoformat()}Z"))
        get_security_header(envelope).append(stamp)
        return super().apply(envelope, headers)

    def verify(self, envelope):
        return envelope  # EC2 signs no answers


session = Session()
if TLS:
    session.verify = CA
transport = Transport(session=session)

step("the WSDL")
client = Client(f"{url}?wsdl", wsse=Signed(key, certificate), transport=transport)
binding = next(iter(client.wsdl.bindings))
ec2 = client.create_service(str(binding), url)

step("describe")
images = ec2.DescribeImages()
image = next(entry for entry in images["imagesSet"]["item"] if entry["name"] == "mallee-starter")["imageId"]

step("launch")
reservation = ec2.RunInstances(imageId=image, minCount=1, maxCount=1, instanceType="t1.micro")
instance = reservation["instancesSet"]["item"][0]["instanceId"]


def state():
    answer = ec2.DescribeInstances(instanceId={"item": [instance]})
    return answer["reservationSet"]["item"][0]["instancesSet"]["item"][0]["instanceState"]["name"]


until("it runs", lambda: state() == "running")

step("refusals")
try:
    ec2.DescribeInstances(instanceId={"item": ["i-00000000000000bad"]})
    sys.exit("an instance was found that is not there")
except Fault as fault:
    assert "InvalidInstanceID.NotFound" in fault.code, fault.code

step("terminate")
ec2.TerminateInstances(instanceId={"item": [instance]})
until("it is terminated", lambda: state() == "terminated")
step("done")
