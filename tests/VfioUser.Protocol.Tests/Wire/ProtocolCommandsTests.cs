using System.Text.Json;

namespace VfioUser.Protocol.Tests.Wire;

public class ProtocolCommandsTests
{
    [Fact]
    public void Every_command_of_the_specification_is_in_the_table_once() =>
        ProtocolCommands.All.Select(info => info.Command).Should().BeEquivalentTo([.. Enum.GetValues<Command>(), PreCopyInfo.Command]);

    [Fact]
    public void Names_are_those_of_the_enumeration() => ProtocolCommands.All.Should().OnlyContain(info =>
        info.Command == PreCopyInfo.Command || info.Name == JsonNamingPolicy.SnakeCaseLower.ConvertName(info.Command.ToString()));

    [Fact]
    public void Sizes_are_those_on_the_wire()
    {
        foreach (PayloadInfo payload in ProtocolCommands.All.SelectMany(info => (PayloadInfo[])[info.Request, info.Reply]))
        {
            object? size = payload.Type?.GetField("WireSize")?.GetRawConstantValue();
            payload.Size.Should().Be(size as int? ?? 0);
        }
    }

    [Fact]
    public void Numbers_that_are_no_command_are_not_found()
    {
        ProtocolCommands.Find(0).Should().BeNull();
        ProtocolCommands.Find((Command)14).Should().BeNull();
        ProtocolCommands.Find((Command)ProtocolCommands.NumberCount).Should().BeNull();
        ProtocolCommands.Find((Command)ushort.MaxValue).Should().BeNull();
    }
}
