namespace VfioUser.Nvme;

/// <summary>Carries out commands of the admin queue. NVMe 1.4 5.</summary>
/// <remarks>Admin thread.</remarks>
internal sealed class AdminCommands
{
    private readonly ControllerParts _parts;
    private readonly Dictionary<AdminOpcode, IAdminCommand> _commands;

    public AdminCommands(ControllerParts parts)
    {
        _parts = parts;
        FeatureCommands features = new(parts);
        _commands = new()
        {
            [AdminOpcode.Identify] = new IdentifyCommand(parts),
            [AdminOpcode.CreateCompletionQueue] = new CreateCompletionQueueCommand(parts),
            [AdminOpcode.CreateSubmissionQueue] = new CreateSubmissionQueueCommand(parts),
            [AdminOpcode.DeleteCompletionQueue] = new DeleteCompletionQueueCommand(parts),
            [AdminOpcode.DeleteSubmissionQueue] = new DeleteSubmissionQueueCommand(parts),
            [AdminOpcode.SetFeatures] = new SetFeatures(features),
            [AdminOpcode.GetFeatures] = new GetFeatures(features),
            [AdminOpcode.GetLogPage] = new GetLogPageCommand(parts),
            [AdminOpcode.Abort] = new AbortCommand(parts),
            [AdminOpcode.AsyncEventRequest] = new AsyncEventRequestCommand(parts),
            [AdminOpcode.DeviceSelfTest] = new DeviceSelfTestCommand(parts),
            [AdminOpcode.FormatNvm] = new FormatCommand(parts),
            [AdminOpcode.NamespaceManagement] = new NamespaceManagementCommand(parts),
            [AdminOpcode.NamespaceAttachment] = new NamespaceAttachmentCommand(parts),
            [AdminOpcode.KeepAlive] = new KeepAliveCommand(parts),
        };
        if (parts.HasShadowDoorbells)
            _commands[AdminOpcode.DoorbellBufferConfig] = new DoorbellBufferConfigCommand(parts);
    }

    /// <summary>Carries a command out. Throws nothing.</summary>
    public CommandOutcome Execute(in Command command, CommandContext context, out uint result)
    {
        result = 0;
        CommandOutcome outcome = Status.InvalidOpcode;
        if (_commands.TryGetValue((AdminOpcode)command.Opcode, out IAdminCommand? handler))
            outcome = command.Fuse != 0 || command.DataPointerKind != 0 ? Status.InvalidField : Execute(handler, command, context, out result);
        if (outcome.HasFailed)
            _parts.Errors.Add(0, command, outcome.Status);
        return outcome;
    }

    private CommandOutcome Execute(IAdminCommand handler, in Command command, CommandContext context, out uint result)
    {
        try
        {
            return handler.Execute(command, context, out result);
        }
        catch (Exception e)
        {
            result = 0;
            Status status = DiskFailure.StatusOf(e, writes: true);
            if (status == Status.InternalError)
                _parts.LogUnexpected(e);
            else
                Log.AdminCommandFailed(_parts.Logger(), ((AdminOpcode)command.Opcode).ToString(), e.Message);
            return context.Reenter(status);
        }
    }
}

/// <summary>One kind of admin command.</summary>
internal interface IAdminCommand
{
    /// <summary>Carries it out. Inside the guard, which it leaves if it waits for anything.</summary>
    CommandOutcome Execute(in Command command, CommandContext context, out uint result);
}
