using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol;

namespace VfioUser.Tests.Serving;

/// <summary>Accesses by message that the device asks for, though the memory is mapped.</summary>
public sealed class DmaOnRequestTests : IDisposable
{
    private const ulong Memory = 0x10000;

    private readonly Served _served = Served.Start(new VfioUserServerOptions { DmaTimeout = Wait.Bound });
    private readonly RawClient _client;

    public DmaOnRequestTests()
    {
        _client = _served.Attach();
        using SafeFileHandle file = Files.Sealed(0x1000);
        _client.Ask(Command.DmaMap, new DmaMap(DmaMap.WireSize, DmaMapFlags.Readable | DmaMapFlags.Writeable, 0, Memory, 0x1000), file).ShouldBeGranted();
        _client.Ask(Command.DmaMap, new DmaMap(DmaMap.WireSize, DmaMapFlags.Readable, 0, Memory + 0x1000, 0x1000)).ShouldBeGranted();
    }

    private Dma Dma => _served.Device.Dma;

    [Fact]
    public void Mapped_memory_is_read_by_the_client()
    {
        byte[] read = new byte[4];
        Task<DmaResult> result = Wait.Start(() => Dma.TryReadByMessage(new Iova(Memory + 8), read));

        RawReply asked = _client.HearCommand(Command.DmaRead);
        WireFormat.Read<DmaAccess>(asked.Payload).Should().Be(new DmaAccess(Memory + 8, 4));
        _client.Answer(asked, RawClient.Bytes(new DmaAccess(Memory + 8, 4), [1, 2, 3, 4]));

        result.ShouldGive(DmaResult.Done);
        read.Should().Equal(1, 2, 3, 4);
        Dma.TryRead(new Iova(Memory + 8), out uint inPlace).IsDone.Should().BeTrue();
        inPlace.Should().Be(0, "the client has not put it there");
    }

    [Fact]
    public void Mapped_memory_is_written_by_the_client()
    {
        Task<DmaResult> result = Wait.Start(() => Dma.TryWriteByMessage(new Iova(Memory), [5, 6]));

        RawReply asked = _client.HearCommand(Command.DmaWrite);
        asked.Payload.Should().EndWith(new byte[] { 5, 6 });
        _client.Answer(asked, RawClient.Bytes(new DmaAccess(Memory, 2)));

        result.ShouldGive(DmaResult.Done);
    }

    [Fact]
    public void Range_over_two_regions_is_two_messages_and_fails_at_the_first_byte_outside()
    {
        byte[] read = [9, 9, 9, 9];
        Task<DmaResult> result = Wait.Start(() => Dma.TryReadByMessage(new Iova(Memory + 0xFFE), read));
        foreach (ulong at in (ulong[])[Memory + 0xFFE, Memory + 0x1000])
        {
            RawReply asked = _client.HearCommand(Command.DmaRead);
            WireFormat.Read<DmaAccess>(asked.Payload).Should().Be(new DmaAccess(at, 2));
            _client.Answer(asked, RawClient.Bytes(new DmaAccess(at, 2), [1, 2]));
        }

        result.ShouldGive(DmaResult.Done);
        read.Should().Equal(1, 2, 1, 2);
        Dma.TryWriteByMessage(new Iova(Memory + 0x1000), [1]).Status.Should().Be(DmaStatus.NotWritable);
        Dma.TryReadByMessage(new Iova(Memory + 0x2000), read).Should().Be(new DmaResult(DmaStatus.NotMapped, new Iova(Memory + 0x2000)));
        Dma.TryReadByMessage(new Iova(ulong.MaxValue), read).Status.Should().Be(DmaStatus.AddressOverflow);
        read.Should().OnlyContain(value => value == 0);
    }

    [Fact]
    public void Refusal_of_the_client_is_the_result()
    {
        Task<DmaResult> result = Wait.Start(() => Dma.TryReadByMessage(new Iova(Memory), new byte[4]));

        RawReply asked = _client.HearCommand(Command.DmaRead);
        _client.SayBytes(RawClient.Message(new MessageHeader(
            asked.Header.MessageId, Command.DmaRead, MessageHeader.WireSize, MessageFlags.Reply | MessageFlags.Error, (uint)Errno.ENODEV)));

        result.ShouldGive(new DmaResult(DmaStatus.Refused, new Iova(Memory), Errno.ENODEV));
    }

    [Fact]
    public async Task Client_that_leaves_ends_the_access_and_none_can_follow()
    {
        Task<DmaResult> result = Wait.Start(() => Dma.TryReadByMessage(new Iova(Memory), new byte[4]));
        _client.HearCommand(Command.DmaRead);

        _client.Dispose();

        (await result.WaitAsync(Wait.Bound)).Status.Should().Be(DmaStatus.Disconnected);
        _served.Device.ShouldTell("detached");
        Dma.TryReadByMessage(new Iova(Memory), new byte[4]).Status.Should().Be(DmaStatus.Disconnected);
    }

    public void Dispose()
    {
        _client.Dispose();
        _served.Dispose();
    }
}
