using System.CommandLine;
using VfioUser.Client;
using VfioUser.Protocol;
using VfioUser.Tool.CommandLine;
using Command = System.CommandLine.Command;

namespace VfioUser.Tool.Regions;

/// <summary><c>vfio-user write</c>: writes a value to a register, or a file to a region.</summary>
internal static class WriteCommand
{
    public static Command Create(Terminal terminal)
    {
        Command command = new("write", "Writes to a region, and waits until the device has it");
        ServerArguments server = ServerArguments.AddTo(command);
        Argument<uint> region = RegionName.Argument();
        Argument<ulong> offset = Numbers.Argument("OFFSET", "First byte, relative to the region");
        Argument<string?> value = new("VALUE") { Description = "The number to write", Arity = ArgumentArity.ZeroOrOne };
        Option<int> width = ReadCommand.Width();
        Option<FileInfo?> input = new("--input") { Description = "Write the bytes of a file in place of a value" };
        command.Add(region);
        command.Add(offset);
        command.Add(value);
        command.Add(width);
        command.Add(input);
        command.SetAction(parsed =>
        {
            byte[] bytes = Bytes(parsed.GetValue(value), parsed.GetValue(width), parsed.GetValue(input));
            using VfioUserClient client = server.Connect(parsed, terminal.Stop);
            RegionTransfer.Write(client, parsed.GetValue(region), parsed.GetValue(offset), bytes);
            terminal.Out.WriteLine($"{bytes.Length} bytes written");
            return ExitCode.Success;
        });
        return command;
    }

    private static byte[] Bytes(string? text, int width, FileInfo? input)
    {
        if (input is null == text is null)
            throw new UsageException("Either a value or --input says what to write.");
        if (input is not null)
            return File.ReadAllBytes(input.FullName);
        if (!Numbers.TryParse(text!, out ulong value))
            throw new UsageException($"'{text}' is no number; write 4096 or 0x1000.");
        if (width < sizeof(ulong) && value >> (8 * width) != 0)
            throw new UsageException($"0x{value:x} does not fit into {width} bytes.");
        byte[] wide = new byte[sizeof(ulong)];
        WireFormat.Write(wide, value);
        return wide[..width];
    }
}
