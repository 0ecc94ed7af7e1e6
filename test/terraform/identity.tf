# People, roles and what they may do; the instance of stack.tf has the role of `web`.
data "aws_iam_policy" "read_only" { arn = "arn:aws:iam::aws:policy/ReadOnlyAccess" }
data "aws_iam_policy_document" "describes" {
  statement {
    sid       = "Describes"
    actions   = ["ec2:Describe*"]
    resources = ["*"]
    condition {
      test     = "StringEquals"
      variable = "ec2:Region"
      values   = ["us-east-1", data.aws_region.here.name]
    }
  }
}
data "aws_iam_policy_document" "by_instances" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["ec2.amazonaws.com"]
    }
  }
}
data "aws_iam_policy_document" "by_tokens" {
  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]
    principals {
      type        = "Federated"
      identifiers = [aws_iam_openid_connect_provider.builds.arn]
    }
    condition {
      test     = "StringEquals"
      variable = "builds.example.com:sub"
      values   = ["main"]
    }
  }
}

resource "aws_iam_account_alias" "name" { account_alias = "gate-alias" }
resource "aws_iam_user" "alice" {
  name                 = "alice"
  path                 = "/people/"
  permissions_boundary = data.aws_iam_policy.read_only.arn
  force_destroy        = true
  tags                 = { team = "red" }
}
resource "aws_iam_access_key" "alice" { user = aws_iam_user.alice.name }
resource "aws_iam_group" "people" { name = "people" }
resource "aws_iam_group_membership" "people" {
  name  = "people"
  group = aws_iam_group.people.name
  users = [aws_iam_user.alice.name]
}
resource "aws_iam_group_policy" "people" {
  name   = "describes"
  group  = aws_iam_group.people.name
  policy = data.aws_iam_policy_document.describes.json
}
resource "aws_iam_group_policy_attachment" "people" {
  group      = aws_iam_group.people.name
  policy_arn = data.aws_iam_policy.read_only.arn
}
resource "aws_iam_user_policy" "alice" {
  name   = "describes"
  user   = aws_iam_user.alice.name
  policy = data.aws_iam_policy_document.describes.json
}
resource "aws_iam_policy" "describes" {
  name        = "describes"
  path        = "/gate/"
  description = "Lists of EC2"
  policy      = data.aws_iam_policy_document.describes.json
}
resource "aws_iam_user_policy_attachment" "alice" {
  user       = aws_iam_user.alice.name
  policy_arn = aws_iam_policy.describes.arn
}
resource "aws_iam_role" "web" {
  name                 = "web"
  description          = "of the web server"
  max_session_duration = 7200
  assume_role_policy   = data.aws_iam_policy_document.by_instances.json
}
resource "aws_iam_role_policy" "web" {
  name   = "describes"
  role   = aws_iam_role.web.id
  policy = data.aws_iam_policy_document.describes.json
}
resource "aws_iam_role_policy_attachment" "web" {
  role       = aws_iam_role.web.name
  policy_arn = aws_iam_policy.describes.arn
}
resource "aws_iam_instance_profile" "web" {
  name = "web"
  role = aws_iam_role.web.name
}
resource "aws_iam_openid_connect_provider" "builds" {
  url             = "https://builds.example.com"
  client_id_list  = ["sts.amazonaws.com"]
  thumbprint_list = ["9e99a48a9960b14926bb7f3b02e22da2b0ab7280"]
}
resource "aws_iam_role" "builds" {
  name               = "builds"
  assume_role_policy = data.aws_iam_policy_document.by_tokens.json
}
