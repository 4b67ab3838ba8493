namespace VfioUser.Protocol.Tests.Negotiation;

public class CapabilitiesTests
{
    [Fact]
    public void Absent_keys_have_the_defaults_of_the_specification()
    {
        Capabilities none = Capabilities.Unspecified;

        none.MaxMessageFds.Should().Be(1);
        none.MaxDataTransferSize.Should().Be(1048576);
        none.MaxDmaMaps.Should().Be(65535);
        none.PageSizes.Should().Be(4096);
        none.WriteMultiple.Should().BeFalse();
        none.TwinSocket.Should().BeNull();
        none.Migration.Should().BeNull();
        none.Present.Should().Be(CapabilityKeys.None);
    }

    [Fact]
    public void A_key_with_its_default_is_present_all_the_same()
    {
        (Capabilities.Unspecified with { MaxMessageFds = 1 }).Present.Should().Be(CapabilityKeys.MaxMessageFds);
        (Capabilities.Unspecified with { MaxDataTransferSize = 1048576 }).Present.Should().Be(CapabilityKeys.MaxDataTransferSize);
        (Capabilities.Unspecified with { MaxDmaMaps = 65535 }).Present.Should().Be(CapabilityKeys.MaxDmaMaps);
        (Capabilities.Unspecified with { PageSizes = 4096 }).Present.Should().Be(CapabilityKeys.PageSizes);
        (Capabilities.Unspecified with { WriteMultiple = false }).Present.Should().Be(CapabilityKeys.WriteMultiple);
        (Capabilities.Unspecified with { TwinSocket = new(false) }).Present.Should().Be(CapabilityKeys.TwinSocket);
        (Capabilities.Unspecified with { Migration = new() }).Present.Should().Be(CapabilityKeys.Migration);
    }

    [Fact]
    public void Values_out_of_range_are_refused_where_they_are_written()
    {
        ((Func<Capabilities>[])
        [
            () => new Capabilities { MaxMessageFds = -1 },
            () => new Capabilities { MaxMessageFds = 254 },
            () => new Capabilities { MaxDataTransferSize = 0 },
            () => new Capabilities { MaxDmaMaps = -1 },
            () => new Capabilities { PageSizes = 0 },
            () => new Capabilities { Migration = new MigrationCapability { PageSize = 4095 } },
        ]).Should().AllSatisfy(make => make.Should().Throw<ArgumentOutOfRangeException>());
    }
}
