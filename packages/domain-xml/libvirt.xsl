<?xml version="1.0" encoding="UTF-8"?>
<!--
  Turns what the cloud knows of an instance into what libvirt is told to run.

  This file is yours to edit. It is read anew at every launch and every attachment: an edit applies to the next
  domain, nothing is restarted. Try an edit on any instance's file before you trust it:

      xsltproc libvirt.xsl PATH/OF/i-…/instance.xml

  If the transform fails, or what it gives is no domain of that instance's name, the launch fails and its state
  reason says why. docs/customising-domains.md has worked examples. Changes that should survive an upgrade of this
  file better go into transforms.d/, whose stylesheets and programs see the finished domain.

  What comes in (one template each):
    /instance   the whole of instance.xml          gives <domain>
    /nic        one interface to plug in            gives <interface>
    /volume     one volume to plug in               gives <disk>

  XSLT 1.0 without extension functions, so that every xsltproc runs it.
-->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
  <xsl:output method="xml" encoding="UTF-8" indent="yes"/>
  <xsl:strip-space elements="*"/>

  <!-- ============================================================ the domain -->

  <xsl:template match="/instance">
    <!-- 'kvm', or 'qemu' where the processor is emulated. -->
    <xsl:variable name="type" select="hypervisor/@type"/>
    <xsl:if test="not($type = 'kvm' or $type = 'qemu')">
      <xsl:message terminate="yes">
        <xsl:text>hypervisor/@type is neither kvm nor qemu: '</xsl:text>
        <xsl:value-of select="$type"/>
        <xsl:text>'</xsl:text>
      </xsl:message>
    </xsl:if>

    <domain type="{$type}">
      <name><xsl:value-of select="name"/></name>
      <description>Eucalyptus instance <xsl:value-of select="name"/></description>

      <xsl:call-template name="boot"/>
      <xsl:call-template name="identity"/>

      <features>
        <!-- Without ACPI a guest hears neither the power button nor of plugged-in disks. -->
        <acpi/>
        <!-- The emulator keeps translated code; unbounded, that is a third of a gigabyte for each guest. -->
        <xsl:if test="$type = 'qemu' and hypervisor/@tbCacheMiB">
          <tcg><tb-cache unit="MiB"><xsl:value-of select="hypervisor/@tbCacheMiB"/></tb-cache></tcg>
        </xsl:if>
      </features>
      <clock offset="localtime"/>
      <on_poweroff>destroy</on_poweroff>
      <on_reboot>restart</on_reboot>
      <on_crash>destroy</on_crash>

      <vcpu><xsl:value-of select="cores"/></vcpu>
      <cpu>
        <!-- The host's own processor can only be passed on where it is really used. -->
        <xsl:if test="cpuPassthrough = 'true' and $type = 'kvm'">
          <xsl:attribute name="mode">host-passthrough</xsl:attribute>
        </xsl:if>
        <topology sockets="1" cores="{cores}" threads="1"/>
      </cpu>
      <!-- In KiB. -->
      <memory><xsl:value-of select="memoryKB"/></memory>

      <devices>
        <rng model="virtio">
          <backend model="random">/dev/urandom</backend>
        </rng>

        <xsl:apply-templates select="disks/diskPath"/>
        <xsl:apply-templates select="disks/floppyPath[. != '']"/>

        <!-- Disks of volumes come finished. -->
        <xsl:copy-of select="volumes/volume/libvirt/*"/>

        <xsl:apply-templates select="nics/nic"/>

        <!-- The first serial port; what the guest says there is what GetConsoleOutput shows. -->
        <serial type="file">
          <source append="on" path="{consoleLogPath}"/>
          <target>
            <xsl:attribute name="port">
              <xsl:choose>
                <xsl:when test="hypervisor/@consolePort"><xsl:value-of select="hypervisor/@consolePort"/></xsl:when>
                <xsl:otherwise>1</xsl:otherwise>
              </xsl:choose>
            </xsl:attribute>
          </target>
        </serial>

        <!-- A screen, for screenshots. -->
        <xsl:if test="hypervisor/@videoModel">
          <video><model type="{hypervisor/@videoModel}"/></video>
        </xsl:if>

        <!-- A screen that can be looked at from this host, with a free port chosen by libvirt:
        <graphics type="vnc" port="-1" autoport="yes" listen="127.0.0.1"/>
        -->
      </devices>
    </domain>
  </xsl:template>

  <!-- ============================================================ how it boots -->

  <xsl:template name="boot">
    <!-- Linux images of partitions bring kernel and ramdisk; all others have a boot loader on their disk. -->
    <xsl:variable name="bootsItself" select="os/@platform = 'windows' or backing/root/@type = 'ebs'"/>
    <xsl:if test="not($bootsItself) and not(os/@platform = 'linux' and backing/root/@type = 'image')">
      <xsl:message terminate="yes">
        <xsl:text>cannot tell how to boot platform '</xsl:text>
        <xsl:value-of select="os/@platform"/>
        <xsl:text>' from root '</xsl:text>
        <xsl:value-of select="backing/root/@type"/>
        <xsl:text>'</xsl:text>
      </xsl:message>
    </xsl:if>

    <os>
      <type>hvm</type>
      <xsl:if test="not($bootsItself)">
        <xsl:if test="ramdisk != ''">
          <initrd><xsl:value-of select="ramdisk"/></initrd>
        </xsl:if>
        <xsl:if test="kernel != ''">
          <kernel><xsl:value-of select="kernel"/></kernel>
        </xsl:if>
        <xsl:if test="kernel != '' and ramdisk != ''">
          <cmdline>
            <xsl:text>root=</xsl:text>
            <xsl:choose>
              <xsl:when test="rootDirective != ''"><xsl:value-of select="rootDirective"/></xsl:when>
              <xsl:when test="os/@virtioRoot = 'true'">/dev/vda1</xsl:when>
              <xsl:otherwise>/dev/sda1</xsl:otherwise>
            </xsl:choose>
            <xsl:text> console=ttyS0</xsl:text>
          </cmdline>
        </xsl:if>
      </xsl:if>
      <boot dev="hd"/>
      <smbios mode="sysinfo"/>
    </os>
  </xsl:template>

  <!-- Guests find out that they are in an EC2 by a serial number that begins with 'ec2'. The two entries must be
       equal; libvirt takes the second as the domain's UUID. -->
  <xsl:template name="identity">
    <xsl:variable name="ec2Uuid" select="concat('ec2', substring(uuid, 4))"/>
    <sysinfo type="smbios">
      <system>
        <entry name="serial"><xsl:value-of select="$ec2Uuid"/></entry>
        <entry name="uuid"><xsl:value-of select="$ec2Uuid"/></entry>
      </system>
    </sysinfo>
  </xsl:template>

  <!-- ============================================================ disks -->

  <xsl:template match="diskPath">
    <xsl:variable name="os" select="/instance/os"/>
    <disk device="{@targetDeviceType}" type="{@sourceType}">
      <!-- 'none' goes past the host's page cache: the guest's flushes are then the disk's. -->
      <driver cache="none">
        <xsl:if test="@driverType">
          <xsl:attribute name="name">qemu</xsl:attribute>
          <xsl:attribute name="type"><xsl:value-of select="@driverType"/></xsl:attribute>
        </xsl:if>
        <xsl:if test="@driverCache">
          <xsl:attribute name="cache"><xsl:value-of select="@driverCache"/></xsl:attribute>
        </xsl:if>
        <xsl:if test="@driverDiscard">
          <xsl:attribute name="discard"><xsl:value-of select="@driverDiscard"/></xsl:attribute>
        </xsl:if>
      </driver>
      <xsl:choose>
        <xsl:when test="@sourceType = 'file'"><source file="{.}"/></xsl:when>
        <xsl:when test="@sourceType = 'block'"><source dev="{.}"/></xsl:when>
        <xsl:otherwise>
          <xsl:message terminate="yes">
            <xsl:text>diskPath/@sourceType is neither file nor block: '</xsl:text>
            <xsl:value-of select="@sourceType"/>
            <xsl:text>'</xsl:text>
          </xsl:message>
        </xsl:otherwise>
      </xsl:choose>
      <xsl:call-template name="diskTarget">
        <!-- Only disks: there is no virtio CD-ROM. -->
        <xsl:with-param name="virtio" select="(not(@targetDeviceType) or @targetDeviceType = 'disk') and
          ($os/@platform = 'windows' or $os/@virtioRoot = 'true')"/>
      </xsl:call-template>
      <xsl:if test="@serial">
        <serial><xsl:value-of select="@serial"/></serial>
      </xsl:if>
    </disk>
  </xsl:template>

  <!-- Where the guest sees the disk. With virtio a SCSI name turns into the virtio name of the same letter. -->
  <xsl:template name="diskTarget">
    <xsl:param name="virtio"/>
    <xsl:choose>
      <xsl:when test="$virtio and starts-with(@targetDeviceName, 'sd')">
        <target bus="virtio" dev="{concat('vd', substring(@targetDeviceName, 3))}"/>
      </xsl:when>
      <xsl:when test="$virtio">
        <target bus="virtio" dev="{@targetDeviceName}"/>
      </xsl:when>
      <xsl:otherwise>
        <target bus="{@targetDeviceBus}" dev="{@targetDeviceName}"/>
      </xsl:otherwise>
    </xsl:choose>
  </xsl:template>

  <xsl:template match="floppyPath">
    <disk type="file" device="floppy">
      <driver cache="none"/>
      <source file="{.}"/>
      <target dev="fda"/>
    </disk>
  </xsl:template>

  <!-- One volume to plug in: finished, where its stub carries the disk, else a block device of this host. -->
  <xsl:template match="/volume">
    <xsl:variable name="os" select="os"/>
    <xsl:copy-of select="libvirt/*"/>
    <xsl:for-each select="diskPath[not(../libvirt/*)]">
      <disk type="block">
        <driver cache="none" name="qemu"/>
        <source dev="{.}"/>
        <xsl:call-template name="diskTarget">
          <xsl:with-param name="virtio" select="$os/@platform = 'windows' or $os/@virtioDisk = 'true'"/>
        </xsl:call-template>
        <xsl:if test="@serial">
          <serial><xsl:value-of select="@serial"/></serial>
        </xsl:if>
      </disk>
    </xsl:for-each>
  </xsl:template>

  <!-- ============================================================ interfaces -->

  <xsl:template match="nic">
    <interface type="bridge">
      <source bridge="{@bridgeDeviceName}"/>
      <mac address="{@mac}"/>
      <target dev="{@guestDeviceName}"/>
      <xsl:choose>
        <xsl:when test="@osPlatform = 'windows' or @osVirtioNetwork = 'true'"><model type="virtio"/></xsl:when>
        <xsl:when test="@hypervisorType = 'kvm'"><model type="e1000"/></xsl:when>
        <!-- Otherwise libvirt chooses. -->
      </xsl:choose>
      <xsl:if test="@mtu">
        <mtu size="{@mtu}"/>
      </xsl:if>
      <!-- The primary interface always sits in the first free slot, so that it is the guest's first. -->
      <xsl:if test="@device = '0'">
        <address type="pci" domain="0x0000" bus="0x00" slot="0x02" function="0x0"/>
      </xsl:if>
    </interface>
  </xsl:template>
</xsl:stylesheet>
