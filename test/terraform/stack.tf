# What an architect's stack has: of everything that this cloud promises, at least one. No skip flag anywhere.
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

variable "endpoint" { type = string }
variable "public_key" { type = string }

provider "aws" {
  region            = "us-east-1"
  s3_use_path_style = true
  endpoints {
    ec2 = var.endpoint
    iam = var.endpoint
    s3  = var.endpoint
    sts = var.endpoint
  }
  default_tags {
    tags = { stack = "gate" }
  }
}

data "aws_caller_identity" "me" {}
data "aws_region" "here" {}
data "aws_availability_zones" "all" { state = "available" }
data "aws_vpc" "default" { default = true }
data "aws_ami" "starter" {
  owners      = ["self"]
  most_recent = true
  filter {
    name   = "name"
    values = ["mallee-starter"]
  }
}
data "aws_ec2_instance_type" "small" { instance_type = "t1.micro" }

resource "aws_vpc" "main" {
  cidr_block           = "10.40.0.0/16"
  enable_dns_hostnames = true
  tags                 = { Name = "gate" }
}
resource "aws_vpc_ipv4_cidr_block_association" "more" {
  vpc_id     = aws_vpc.main.id
  cidr_block = "10.41.0.0/16"
}
resource "aws_subnet" "open" {
  vpc_id                  = aws_vpc.main.id
  cidr_block              = "10.40.1.0/24"
  availability_zone       = data.aws_availability_zones.all.names[0]
  map_public_ip_on_launch = true
}
resource "aws_subnet" "closed" {
  vpc_id     = aws_vpc.main.id
  cidr_block = "10.40.2.0/24"
  availability_zone = data.aws_availability_zones.all.names[0]
}
resource "aws_internet_gateway" "out" { vpc_id = aws_vpc.main.id }
resource "aws_route_table" "open" {
  vpc_id = aws_vpc.main.id
  route {
    cidr_block = "0.0.0.0/0"
    gateway_id = aws_internet_gateway.out.id
  }
}
resource "aws_route_table_association" "open" {
  subnet_id      = aws_subnet.open.id
  route_table_id = aws_route_table.open.id
}
resource "aws_eip" "nat" { domain = "vpc" }
resource "aws_nat_gateway" "out" {
  subnet_id     = aws_subnet.open.id
  allocation_id = aws_eip.nat.id
  depends_on    = [aws_internet_gateway.out]
}
resource "aws_route_table" "closed" { vpc_id = aws_vpc.main.id }
resource "aws_route" "by_nat" {
  route_table_id         = aws_route_table.closed.id
  destination_cidr_block = "0.0.0.0/0"
  nat_gateway_id         = aws_nat_gateway.out.id
}
resource "aws_main_route_table_association" "closed" {
  vpc_id         = aws_vpc.main.id
  route_table_id = aws_route_table.closed.id
}
resource "aws_network_acl" "closed" {
  vpc_id = aws_vpc.main.id
  ingress {
    rule_no    = 100
    protocol   = "-1"
    action     = "allow"
    cidr_block = "10.40.0.0/16"
    from_port  = 0
    to_port    = 0
  }
}
resource "aws_network_acl_rule" "out" {
  network_acl_id = aws_network_acl.rules.id
  rule_number    = 120
  egress         = true
  protocol       = "tcp"
  rule_action    = "allow"
  cidr_block     = "0.0.0.0/0"
  from_port      = 1024
  to_port        = 65535
}
resource "aws_network_acl" "rules" { vpc_id = aws_vpc.main.id }
resource "aws_network_acl_association" "closed" {
  network_acl_id = aws_network_acl.closed.id
  subnet_id      = aws_subnet.closed.id
}
resource "aws_default_security_group" "none" { vpc_id = aws_vpc.main.id }
resource "aws_default_network_acl" "all" {
  default_network_acl_id = aws_vpc.main.default_network_acl_id
  ingress {
    rule_no    = 100
    protocol   = "-1"
    action     = "allow"
    cidr_block = "0.0.0.0/0"
    from_port  = 0
    to_port    = 0
  }
  egress {
    rule_no    = 100
    protocol   = "-1"
    action     = "allow"
    cidr_block = "0.0.0.0/0"
    from_port  = 0
    to_port    = 0
  }
  lifecycle { ignore_changes = [subnet_ids] }
}
resource "aws_vpc_dhcp_options" "names" {
  domain_name         = "gate.internal"
  domain_name_servers = ["AmazonProvidedDNS"]
}
resource "aws_vpc_dhcp_options_association" "names" {
  vpc_id          = aws_vpc.main.id
  dhcp_options_id = aws_vpc_dhcp_options.names.id
}
resource "aws_vpc" "peer" { cidr_block = "10.50.0.0/16" }
resource "aws_vpc_peering_connection" "peer" {
  vpc_id      = aws_vpc.main.id
  peer_vpc_id = aws_vpc.peer.id
  auto_accept = true
}
resource "aws_route" "to_peer" {
  route_table_id            = aws_route_table.closed.id
  destination_cidr_block    = "10.50.0.0/16"
  vpc_peering_connection_id = aws_vpc_peering_connection.peer.id
}
resource "aws_ec2_managed_prefix_list" "offices" {
  name           = "offices"
  address_family = "IPv4"
  max_entries    = 5
}
resource "aws_ec2_managed_prefix_list_entry" "one" {
  prefix_list_id = aws_ec2_managed_prefix_list.offices.id
  cidr           = "192.0.2.0/24"
  description    = "one"
}
resource "aws_security_group" "web" {
  name        = "web"
  description = "web"
  vpc_id      = aws_vpc.main.id
  ingress {
    from_port   = 80
    to_port     = 80
    protocol    = "tcp"
    cidr_blocks = ["0.0.0.0/0"]
  }
  egress {
    from_port   = 0
    to_port     = 0
    protocol    = "-1"
    cidr_blocks = ["0.0.0.0/0"]
  }
}
resource "aws_security_group" "apart" {
  name   = "apart"
  vpc_id = aws_vpc.main.id
}
resource "aws_security_group_rule" "from_web" {
  type                     = "ingress"
  security_group_id        = aws_security_group.apart.id
  source_security_group_id = aws_security_group.web.id
  from_port                = 8080
  to_port                  = 8090
  protocol                 = "tcp"
}
resource "aws_security_group" "modern" {
  name   = "modern"
  vpc_id = aws_vpc.main.id
}
resource "aws_vpc_security_group_ingress_rule" "offices" {
  security_group_id = aws_security_group.modern.id
  prefix_list_id    = aws_ec2_managed_prefix_list.offices.id
  from_port         = 22
  to_port           = 22
  ip_protocol       = "tcp"
}
resource "aws_vpc_security_group_egress_rule" "all" {
  security_group_id = aws_security_group.modern.id
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "-1"
}
resource "aws_key_pair" "key" {
  key_name   = "gate"
  public_key = var.public_key
}
resource "aws_placement_group" "apart" {
  name     = "gate"
  strategy = "spread"
}
resource "aws_network_interface" "second" {
  subnet_id       = aws_subnet.closed.id
  private_ips     = ["10.40.2.50", "10.40.2.51"]
  security_groups = [aws_security_group.apart.id]
}
resource "aws_instance" "web" {
  ami                    = data.aws_ami.starter.id
  instance_type          = data.aws_ec2_instance_type.small.instance_type
  subnet_id              = aws_subnet.open.id
  vpc_security_group_ids = [aws_security_group.web.id]
  key_name               = aws_key_pair.key.key_name
  user_data              = "#!/bin/sh\ntrue\n"
  placement_group        = aws_placement_group.apart.name
  iam_instance_profile   = aws_iam_instance_profile.web.name
  tags                   = { Name = "web" }
  # Another resource gives it one group more.
  lifecycle { ignore_changes = [vpc_security_group_ids] }
}
resource "aws_network_interface_attachment" "second" {
  instance_id          = aws_instance.web.id
  network_interface_id = aws_network_interface.second.id
  device_index         = 1
}
resource "aws_network_interface_sg_attachment" "modern" {
  security_group_id    = aws_security_group.modern.id
  network_interface_id = aws_instance.web.primary_network_interface_id
}
resource "aws_eip" "web" { domain = "vpc" }
resource "aws_eip_association" "web" {
  # By interface, for the instance may have its second one already.
  network_interface_id = aws_instance.web.primary_network_interface_id
  allocation_id        = aws_eip.web.id
}
resource "aws_ebs_volume" "data" {
  availability_zone = aws_instance.web.availability_zone
  size              = 1
  type              = "gp3"
}
resource "aws_volume_attachment" "data" {
  device_name = "/dev/sdf"
  volume_id   = aws_ebs_volume.data.id
  instance_id = aws_instance.web.id
}
resource "aws_ebs_snapshot" "data" { volume_id = aws_ebs_volume.data.id }
resource "aws_ami" "own" {
  name                = "gate"
  virtualization_type = "hvm"
  root_device_name    = "/dev/sda1"
  ebs_block_device {
    device_name = "/dev/sda1"
    snapshot_id = aws_ebs_snapshot.data.id
  }
}
resource "aws_launch_template" "web" {
  name_prefix   = "gate-"
  image_id      = data.aws_ami.starter.id
  instance_type = "t1.micro"
  network_interfaces {
    device_index    = 0
    subnet_id       = aws_subnet.open.id
    security_groups = [aws_security_group.web.id]
  }
}
resource "aws_ec2_tag" "extra" {
  resource_id = data.aws_vpc.default.id
  key         = "extra"
  value       = "yes"
}
resource "aws_s3_bucket" "data" {
  bucket        = "gate-data"
  force_destroy = true
}
resource "aws_flow_log" "main" {
  vpc_id                   = aws_vpc.main.id
  traffic_type             = "REJECT"
  log_destination_type     = "s3"
  log_destination          = "${aws_s3_bucket.data.arn}/flows"
  max_aggregation_interval = 60
  log_format               = "$${interface-id} $${srcaddr} $${action}"
}
resource "aws_s3_bucket_versioning" "data" {
  bucket = aws_s3_bucket.data.id
  versioning_configuration { status = "Enabled" }
}
resource "aws_s3_object" "hello" {
  bucket  = aws_s3_bucket.data.id
  key     = "hello"
  content = "hello"
}
resource "aws_s3_bucket_policy" "data" {
  bucket = aws_s3_bucket.data.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "Read"
      Effect    = "Allow"
      Principal = { AWS = "arn:aws:iam::${data.aws_caller_identity.me.account_id}:root" }
      Action    = "s3:GetObject"
      Resource  = "${aws_s3_bucket.data.arn}/*"
    }]
  })
}

output "web" { value = aws_eip.web.public_ip }
