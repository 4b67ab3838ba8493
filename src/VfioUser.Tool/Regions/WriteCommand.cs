using System.CommandLine;
using VfioUser.Client;
using VfioUser.Protocol;
using VfioUser.Tool.CommandLine;
using VfioUser.Tool.Registers;
using Command = System.CommandLine.Command;

namespace VfioUser.Tool.Regions;

/// <summary><c>vfio-user write</c>: writes a value to a register, or a file to a region.</summary>
internal static class WriteCommand
{
    public static Command Create(Terminal terminal)
    {
        Command command = new("write", "Writes to a region, or a register or field by name, and waits until the device has it");
        ServerArguments server = ServerArguments.AddTo(command);
        Argument<string> target = RegionName.OrRegister();
        // after the name of a register, this argument is the value
        Argument<string?> offset = new("OFFSET") { Description = "First byte, relative to the region; not with a register by name", Arity = ArgumentArity.ZeroOrOne };
        Argument<string?> value = new("VALUE") { Description = "The number to write", Arity = ArgumentArity.ZeroOrOne };
        Option<int> width = ReadCommand.Width();
        Option<FileInfo?> input = new("--input") { Description = "Write the bytes of a file in place of a value" };
        command.Add(target);
        command.Add(offset);
        command.Add(value);
        command.Add(width);
        command.Add(input);
        command.SetAction(parsed =>
        {
            string name = parsed.GetRequiredValue(target);
            string first = parsed.GetValue(offset) ?? throw new UsageException("The offset or the value to write is missing: see vfio-user write --help.");
            if (RegionName.IsRegister(name, parsed.GetValue(value) is not null, out uint region))
            {
                RegionName.Refuse(parsed, width, input);
                using VfioUserClient named = server.Connect(parsed, terminal.Stop);
                terminal.Out.WriteLine(WriteRegister(named, MapReader.Read(named).Find(name), first));
                return ExitCode.Success;
            }
            if (!Numbers.TryParse(first, out ulong at))
                throw new UsageException($"'{first}' is no number; write 4096 or 0x1000.");
            byte[] bytes = Bytes(parsed.GetValue(value), parsed.GetValue(width), parsed.GetValue(input));
            using VfioUserClient client = server.Connect(parsed, terminal.Stop);
            RegionTransfer.Write(client, region, at, bytes);
            terminal.Out.WriteLine($"{bytes.Length} {(bytes.Length == 1 ? "byte" : "bytes")} written");
            return ExitCode.Success;
        });
        return command;
    }

    /// <summary>Writes a register, or a field of it by reading it first.</summary>
    /// <returns>What was done.</returns>
    public static string WriteRegister(VfioUserClient client, RegisterTarget target, string text)
    {
        ulong value = target.Parse(text);
        if (target.Field is null)
        {
            target.Write(client, value);
            return $"{target.Name}: {target.Describe(value)} written";
        }
        RegisterTarget whole = target with { Field = null };
        target.CheckMerge();
        ulong before = target.Read(client);
        ulong after = target.Merge(before, value);
        target.Write(client, after);
        return $"{whole.Name}: {whole.Describe(before)} read, {whole.Describe(after)} written; a change by the device in between is lost";
    }

    private static byte[] Bytes(string? text, int width, FileInfo? input)
    {
        if (input is null == text is null)
            throw new UsageException("Either a value or --input is needed, not both.");
        if (input is not null)
            return File.ReadAllBytes(input.FullName);
        if (!Numbers.TryParse(text!, out ulong value))
            throw new UsageException($"'{text}' is no number; write 4096 or 0x1000.");
        if (width < sizeof(ulong) && value >> (8 * width) != 0)
            throw new UsageException($"0x{value:x} does not fit into {width} {(width == 1 ? "byte" : "bytes")}.");
        byte[] wide = new byte[sizeof(ulong)];
        WireFormat.Write(wide, value);
        return wide[..width];
    }
}
