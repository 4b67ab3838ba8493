namespace VfioUser.Protocol.Tests.Wire;

public class MessageHeaderTests
{
    [Theory]
    [InlineData(0x00, true, false, false, false)]
    [InlineData(0x10, true, false, true, false)]
    [InlineData(0x01, false, true, false, false)]
    [InlineData(0x21, false, true, false, true)]
    [InlineData(0x02, false, false, false, false)]
    [InlineData(0x03, false, false, false, false)]
    [InlineData(0x0F, false, false, false, false)]
    [InlineData(0x80000000, true, false, false, false)]
    public void Flags_are_taken_apart(uint flags, bool command, bool reply, bool noReply, bool error)
    {
        MessageHeader header = new(1, Command.RegionRead, 32, (MessageFlags)flags, 0);

        header.IsCommand.Should().Be(command);
        header.IsReply.Should().Be(reply);
        header.NoReply.Should().Be(noReply);
        header.IsError.Should().Be(error);
    }

    [Fact]
    public void Feature_index_is_the_low_half_of_the_flags() =>
        new DeviceFeature(8, (DeviceFeatureFlags)0x0005_0008).Feature.Should().Be(DeviceFeatureId.DmaLoggingReport);

    [Fact]
    public void A_full_transfer_fits_a_message() =>
        ProtocolLimits.MaxMessageSize.Should().BeGreaterThanOrEqualTo(
            MessageHeader.WireSize + RegionAccess.WireSize + ProtocolLimits.MaxDataTransferSize);
}
