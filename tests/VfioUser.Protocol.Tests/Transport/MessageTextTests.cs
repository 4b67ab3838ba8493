namespace VfioUser.Protocol.Tests.Transport;

public class MessageTextTests
{
    public static TheoryData<Command> Commands => [.. Enum.GetValues<Command>()];

    [Fact]
    public void A_region_read_is_one_line_with_what_matters() =>
        Text(Frame.RegionRead(7)).Should().Be("RegionRead #7 command, 32 bytes RegionAccess { Offset = 7, Region = 0, Count = 4 }");

    [Fact]
    public void Data_is_shown_as_far_as_a_line_has_room()
    {
        Text(Frame.RegionWrite(1, 4)).Should().EndWith(" 01080F16");
        Text(Frame.RegionWrite(1, 16)).Should().EndWith(" 01080F161D242B323940474E555C636A");
        Text(Frame.RegionWrite(1, 17)).Should().EndWith(" 01080F161D242B323940474E555C636A...");
    }

    [Fact]
    public void Kind_error_and_descriptors_are_named()
    {
        Text(Frame.Error(3, Command.DmaMap, Errno.EEXIST)).Should().Be("DmaMap #3 reply, 16 bytes error EEXIST");
        Text(Frame.Message(new MessageHeader(0, Command.RegionWrite, 0, MessageFlags.NoReply, 0))).Should().Be("RegionWrite #0 posted, 16 bytes");
        Text(Frame.DmaMap(1), fds: 1).Should().StartWith("DmaMap #1 command, 48 bytes +1 fd DmaMap {");
        Text(Frame.Reply(9, Command.DeviceReset)).Should().Be("DeviceReset #9 reply, 16 bytes");
    }

    [Theory]
    [MemberData(nameof(Commands))]
    public void Each_command_has_its_fields_in_one_line(Command command)
    {
        string text = Text(Frame.Command(1, command, new byte[64]));

        text.Should().StartWith($"{command} #1 command, 80 bytes").And.NotContain("\n");
        if (command != Command.DeviceReset)
            text.Should().Contain(" { ").And.Contain(" = 0");
    }

    [Theory]
    [MemberData(nameof(Commands))]
    public void A_payload_that_is_too_short_is_left_out(Command command)
    {
        for (int length = 0; length < 4; length++)
            Text(Frame.Command(1, command, new byte[length])).Should().Be($"{command} #1 command, {16 + length} bytes");
    }

    [Fact]
    public void Numbers_that_mean_nothing_are_shown_as_numbers()
    {
        byte[] payload = new byte[64];
        payload.AsSpan().Fill(0xff);

        foreach (Command command in Enum.GetValues<Command>())
            Text(Frame.Command(1, command, payload)).Should().NotContain("\n");
        Text(Frame.Command(1, (Command)999)).Should().Be("999 #1 command, 16 bytes");
        Text(Frame.Error(1, Command.DmaMap, (Errno)(-5))).Should().Contain("error -5");
    }

    [Fact]
    public void A_received_message_describes_itself()
    {
        (RawPeer peer, MessageSocket socket) = RawPeer.Connect();
        using TestFile file = new();
        using (socket)
        using (peer)
        {
            peer.Write(Frame.DmaMap(1), file.Handle);
            socket.Receive(wait: true);
            socket.TryParse(out ReceivedMessage message);

            MessageText.Describe(message).Should().Be(Text(Frame.DmaMap(1), fds: 1));
            message.Fds!.Dispose();
        }
    }

    private static string Text(byte[] message, int fds = 0) =>
        MessageText.Describe(WireFormat.Read<MessageHeader>(message), message.AsSpan(MessageHeader.WireSize), fds);
}
