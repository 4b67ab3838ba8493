namespace VfioUser.Protocol.Tests.Negotiation;

public class SessionLimitsTests
{
    [Fact]
    public void Each_direction_has_the_limits_of_its_receiver()
    {
        Capabilities own = new() { MaxMessageFds = 8, MaxDataTransferSize = 65536, MaxDmaMaps = 100 };
        Capabilities peer = new() { MaxMessageFds = 2, MaxDataTransferSize = 4096, MaxDmaMaps = 50, WriteMultiple = true };

        SessionLimits.Between(own, peer).Should().Be(new SessionLimits
        {
            MaxFdsToSend = 2,
            MaxFdsToReceive = 8,
            MaxTransferToSend = 4096,
            MaxTransferToReceive = 65536,
            MaxDmaMaps = 50,
            WriteMultiple = false,
        });
    }

    [Fact]
    public void A_peer_without_limits_accepts_one_descriptor_and_1_MiB()
    {
        SessionLimits limits = SessionLimits.Between(Capabilities.ServerDefaults, Capabilities.Unspecified);

        limits.MaxFdsToSend.Should().Be(1);
        limits.MaxFdsToReceive.Should().Be(16);
        limits.MaxTransferToSend.Should().Be(1 << 20);
    }

    [Fact]
    public void A_peer_that_takes_everything_gets_no_more_than_we_have()
    {
        Capabilities boundless = new() { MaxMessageFds = 253, MaxDataTransferSize = long.MaxValue, MaxDmaMaps = long.MaxValue };

        SessionLimits.Between(Capabilities.ServerDefaults, boundless).Should().Be(new SessionLimits
        {
            MaxFdsToSend = 16,
            MaxFdsToReceive = 16,
            MaxTransferToSend = 1 << 20,
            MaxTransferToReceive = 1 << 20,
            MaxDmaMaps = 65535,
            WriteMultiple = false,
        });
    }
}
